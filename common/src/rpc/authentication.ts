/**
 * How the two ends of a connection prove to each other who they are, in three messages: the client's hello, the
 * server's welcome, the client's proof. The exchange is a port: each side of a service brings its own.
 */

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

/** Called for each connection, because challenges are used once. */
export type ClientAuthentication = () => ClientHandshake
export type ServerAuthentication<Peer> = () => ServerHandshake<Peer>

const nothing = new Uint8Array(0)

/** For channels that are trusted by themselves, as a Unix-domain socket in a private directory. */
export const trustedClient: ClientAuthentication = () => ({ hello: () => nothing, prove: () => nothing })
export const trustedServer: ServerAuthentication<undefined> = () => ({
  welcome: () => nothing,
  accept: () => undefined,
})
