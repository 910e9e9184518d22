/** The native interface as its calls over the wire. */

import type {
  Admin,
  Buckets,
  IdentityAdmin,
  O3Session,
  Principal,
  Snapshots,
  Tree,
  Volumes,
} from '@o3/protocol-bus/api'
import { nativeKeys } from './native-keys.ts'
import { nativeUploads } from './native-uploads.ts'
import { readDifferences } from './differences.ts'
import type { Wire } from './wire.ts'

/** A session over `wire`, for whomever its connection is bound to: `principal` only says who that is. */
export function nativeSession(wire: Wire, principal: Principal): O3Session {
  return {
    principal,
    volumes: volumes(wire),
    buckets: buckets(wire),
    keys: nativeKeys(wire),
    uploads: nativeUploads(wire),
    tree: tree(wire),
    snapshots: snapshots(wire),
    identities: identities(wire),
    admin: admin(wire),
  }
}

function volumes(wire: Wire): Volumes {
  return {
    create: (volume, options) => wire.ask('volumes.create.1', { volume, ...options }),
    list: (options) => wire.ask('volumes.list.1', options),
    info: (volume) => wire.ask('volumes.info.1', { volume }),
    update: (volume, changes) => wire.ask('volumes.update.1', { volume, ...changes }),
    delete: (volume) => wire.ask('volumes.delete.1', { volume }),
  }
}

function buckets(wire: Wire): Buckets {
  return {
    create: (ref, options) => wire.ask('buckets.create.1', { ref, ...options }),
    list: (volume, options) => wire.ask('buckets.list.1', { volume, ...options }),
    info: (ref) => wire.ask('buckets.info.1', ref),
    update: (ref, changes) => wire.ask('buckets.update.1', { ref, ...changes }),
    delete: (ref) => wire.ask('buckets.delete.1', ref),
    link: (ref, target) => wire.ask('buckets.link.1', { ref, target }),
  }
}

function tree(wire: Wire): Tree {
  return {
    stat: (ref) => wire.ask('tree.stat.1', ref),
    list: (ref, options) => wire.ask('tree.list.1', { ref, ...options }),
    mkdirs: (ref) => wire.ask('tree.mkdirs.1', ref),
    rename: (ref, to, options) => wire.ask('tree.rename.1', { ref, to, ...options }),
    remove: (ref, options) => wire.ask('tree.remove.1', { ref, ...options }),
    append: async (ref, body) => (await wire.carry('tree.append.1', ref, { body })).reply,
    truncate: (ref, size) => wire.ask('tree.truncate.1', { ref, size }),
    setAttributes: (ref, attributes) => wire.ask('tree.set-attributes.1', { ref, attributes }),
    summary: (ref) => wire.ask('tree.summary.1', ref),
  }
}

function snapshots(wire: Wire): Snapshots {
  return {
    create: (ref, name) => wire.ask('snapshots.create.1', { ref, name }),
    list: (ref, options) => wire.ask('snapshots.list.1', { ref, ...options }),
    info: (ref, name) => wire.ask('snapshots.info.1', { ref, name }),
    diff: (ref, from, to) => readDifferences(wire, { ref, from, to }),
    restore: (ref, name) => wire.ask('snapshots.restore.1', { ref, name }),
    delete: (ref, name) => wire.ask('snapshots.delete.1', { ref, name }),
  }
}

function identities(wire: Wire): IdentityAdmin {
  return {
    createUser: (user, options) => wire.ask('identities.create-user.1', { user, ...options }),
    updateUser: (user, changes) => wire.ask('identities.update-user.1', { user, ...changes }),
    deleteUser: (user) => wire.ask('identities.delete-user.1', { user }),
    listUsers: (options) => wire.ask('identities.list-users.1', options),
    getUser: (user) => wire.ask('identities.get-user.1', { user }),
    createAccessKey: (user, given) =>
      wire.ask('identities.create-access-key.1', given === undefined ? { user } : { user, given }),
    updateAccessKey: (id, { enabled }) => wire.ask('identities.update-access-key.1', { id, enabled }),
    deleteAccessKey: (id) => wire.ask('identities.delete-access-key.1', { id }),
    listAccessKeys: (options) => wire.ask('identities.list-access-keys.1', options),
  }
}

function admin(wire: Wire): Admin {
  return {
    summary: () => wire.ask('admin.summary.1', undefined),
    nodes: () => wire.ask('admin.nodes.1', undefined),
    containers: (options) => wire.ask('admin.containers.1', options),
    audit: () => wire.ask('admin.audit.1', undefined),
  }
}
