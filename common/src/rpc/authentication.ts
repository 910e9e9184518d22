/**
 * How the two ends of a connection prove to each other who they are, in three messages: the client's hello, the
 * server's welcome, the client's proof. The exchange is a port: each side of a service brings its own.
 */

import type { PeerCertificate } from '../env/env.ts'

/** The client's side of one connection. A rejection ends the attempt with that error. */
export interface ClientHandshake {
  hello(): Uint8Array | Promise<Uint8Array>
  /** Checks the server's credentials and gives the client's proof. */
  prove(welcome: Uint8Array): Uint8Array | Promise<Uint8Array>
}

/** The server's side of one connection. What it rejects with is told to the client. */
export interface ServerHandshake<Peer> {
  welcome(hello: Uint8Array): Uint8Array | Promise<Uint8Array>
  /** Checks the proof; the answer is bound to every call of the connection. */
  accept(proof: Uint8Array): Peer | Promise<Peer>
}

/** What a client knows of a connection that it has just made. */
export interface Dialled {
  /** What the server has shown; undefined on a plain network. */
  readonly certificate: PeerCertificate | undefined
  /** Whose address it was said to be; undefined when the caller cannot know. */
  readonly serverId: string | undefined
}

/** What a server knows of a connection that it has just accepted. */
export interface Accepted {
  readonly remote: string
  /** What the client has shown; undefined on a plain network, and of a stranger. */
  readonly certificate: PeerCertificate | undefined
}

/** Called for each connection, because challenges are used once. */
export type ClientAuthentication = (dialled: Dialled) => ClientHandshake
export type ServerAuthentication<Peer> = (accepted: Accepted) => ServerHandshake<Peer>

const nothing = new Uint8Array(0)

/** For channels that are trusted by themselves, as a Unix-domain socket in a private directory. */
export const trustedClient = (): ClientHandshake => ({ hello: () => nothing, prove: () => nothing })
export const trustedServer = (): ServerHandshake<undefined> => ({
  welcome: () => nothing,
  accept: () => undefined,
})

/**
 * Over a secured network both ends have proved who they are before the first frame; what is left is to say whether that is
 * who was meant. `expect` throws when it is not, and nothing was sent then.
 */
export function certificateClient(expect: (dialled: Dialled) => void): ClientAuthentication {
  return (dialled) => ({
    hello: () => {
      expect(dialled)
      return nothing
    },
    prove: () => nothing,
  })
}

/** `peerOf` throws for whom this server does not serve; the client is told. */
export function certificateServer<Peer>(peerOf: (accepted: Accepted) => Peer): ServerAuthentication<Peer> {
  return (accepted) => ({ welcome: () => nothing, accept: () => peerOf(accepted) })
}
