/** What the operating system says of an address, in words for whoever chose it. */

import { StoreError } from '@o3/common/errors'

/** `Busy` for a port in use, `InvalidArgument` for an address that cannot be listened on. */
export function listenError(
  error: NodeJS.ErrnoException,
  { host, port }: { readonly host: string; readonly port: number },
): StoreError {
  const where = { host, port, errno: error.code ?? '' }
  const options = { details: where, cause: error }
  if (error.code === 'EADDRINUSE') return new StoreError('Busy', `port ${port} on ${host} is in use`, options)
  if (error.code === 'EACCES')
    return new StoreError('InvalidArgument', `not allowed to listen on port ${port}`, options)
  return new StoreError('InvalidArgument', `cannot listen on ${host}:${port}`, options)
}
