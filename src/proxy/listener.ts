import { type AddressInfo, Server as NetServer, type Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { type Address, parseAddress, unmapAddress } from '../net/address.ts'
import type { CidrSet } from '../net/cidr-set.ts'
import type { HostName } from '../net/host-name.ts'
import { hasProxyOpening } from '../net/proxy-header.ts'
import { type Refusal, refuse } from '../refusal/reasons.ts'
import type { RelayEnd } from '../relay/ends.ts'
import type { TlsFiles } from '../tls/tls-files.ts'
import { alertVoice } from './alert.ts'
import { type CertificateDecision, noCertificateAsked } from './client-certificate.ts'
import { type Connection, type ConnectionEvents, createConnections } from './connections.ts'
import type { HandshakeFailure } from './handshake-failure.ts'
import { type ConnectHead, createHeadParser } from './head-parser.ts'
import { readIntroduction, refuseUnnamed } from './load-balancer.ts'
import { beginsHandshake, createTlsFront } from './tls-front.ts'
import type { PlainRequest } from './plain-http.ts'
import { type Voice, httpVoice } from './reply.ts'
import type { Client } from './client.ts'
import { type TransparentFront, createTransparentFront } from './transparent.ts'
import type { TunnelRequest } from './tunnel.ts'

/** A request that cannot be served: its head is none that can be read, or there is no whole head. */
export interface UnusableRequest {
  readonly client: Client
  readonly end: RelayEnd
  /** What there was of a request target; '' before there is one. */
  readonly target: string
  readonly refusal: Refusal
  /** What the client understands. */
  readonly voice: Voice
}

/** What the listener counts; the verbs of the metrics. */
export interface ListenerEvents extends ConnectionEvents {
  handshakeFailed (failure: HandshakeFailure): void
}

export interface ListenerOptions {
  /** Where to listen; with `fd`, on a socket that somebody else has bound. */
  readonly listen: { readonly address: string, readonly port: number } | { readonly fd: number }
  /** Absent: clear text only. */
  readonly tls?: TlsFiles
  /** From the opening of a connection to the end of its request's head, TLS handshake included, in milliseconds. */
  readonly headTimeoutMs: number
  /** Most connections at once that are not on a relay thread; further ones are closed as they come. */
  readonly maxConnections: number
  /** Most of them from one client (client-key.ts), likewise. */
  readonly maxConnectionsPerClient: number
  /**
   * Where the PROXY protocol is spoken: a connection from these addresses must begin with its header, and counts for
   * the client that this names. From all others it is no request that can be read.
   */
  readonly loadBalancers: Pick<CidrSet, 'find'>
  readonly events: ListenerEvents
  /** How the gateway names itself to a parent proxy, where it has one: what comes back with that name is refused. */
  readonly pseudonym?: string
  /** Milliseconds since the epoch, for the dates of client certificates; the system's clock unless told. */
  readonly now?: () => number
  /** Whether TLS for another name than the gateway's own asks for a tunnel there, without a CONNECT. */
  readonly isTransparent: boolean
  /** Takes over the client's end of a CONNECT, or of TLS that asks for a tunnel. */
  readonly onTunnel: (request: TunnelRequest) => void
  /** Takes over the client's end of a request of any other method. */
  readonly onPlain: (request: PlainRequest) => void
  /** Takes over the client's end of anything else. */
  readonly onUnusable: (request: UnusableRequest) => void
}

/** The port that clients point `HTTPS_PROXY` at. */
export interface Listener {
  /** Resolves with the address in use; rejects with the error of listen(2). */
  start (): Promise<AddressInfo>
  /** Handshakes begin with these files from now on; connections that are there stay as they are. */
  serveTlsWith (files: TlsFiles): void
  /** Takes no new connections; what has been taken goes on. */
  stopAccepting (): void
  /** Stops accepting, and destroys every connection that it has taken and no relay thread has. */
  close (): void
}

// A client asks once, and once more with a password; what is more is one that does not listen.
const maxRequests = 4
// Finds a client that vanished without a word; the kernel's own default is two hours.
const keepAliveMs = 60_000

/** One port for `http://` and `https://` proxy URLs: the first byte of a connection decides. */
export function createListener (options: ListenerOptions): Listener {
  const { events, headTimeoutMs, maxConnections, maxConnectionsPerClient, loadBalancers, isTransparent } = options
  const { onTunnel, onPlain, onUnusable } = options
  const connections = createConnections({
    maxPerClient: maxConnectionsPerClient, timeoutMs: headTimeoutMs, events, onExpired: giveUp,
  })
  const tls = options.tls === undefined
    ? undefined
    : createTlsFront({
      files: options.tls,
      handshakeTimeoutMs: headTimeoutMs,
      now: options.now ?? Date.now,
      onSecure: (stream, socket, certificate) => readHead(socket, stream, certificate),
      onFailed: events.handshakeFailed,
    })
  const transparent = isTransparent ? createTransparentFront({ isOwnName: tls?.isOwnName }) : undefined
  const server = new NetServer({
    allowHalfOpen: true,
    noDelay: true,
    keepAlive: true,
    keepAliveInitialDelay: keepAliveMs,
  })
  server.maxConnections = maxConnections

  const heads = createHeadParser({
    connect (stream, head) {
      const connection = connections.claim(stream)
      if (connection !== undefined) onTunnel(createRequest(connection, stream, head))
      // Already refused; Node stops reading at a CONNECT, and the rest must still be thrown away.
      else stream.resume()
    },
    plain (stream, request, response) {
      const connection = connections.claim(stream)
      if (connection !== undefined) onPlain({ ...endOf(connection, stream), request, response })
      else request.resume()
    },
    unusable: (stream, target, refusal) => turnAway(stream, refusal, httpVoice, target),
    broken: (stream) => stream.destroy(),
  }, options.pseudonym)

  function accept (socket: Socket): void {
    const address = parsePeer(socket.remoteAddress ?? '')
    if (address === undefined || socket.remotePort === undefined) {
      // Gone before it was looked at.
      socket.destroy()
      return
    }
    // Until it has shaken hands.
    const certificate = tls?.decideWithoutTls() ?? noCertificateAsked
    const client = { address, port: socket.remotePort, certificate }
    // A load balancer has the connections of many clients.
    const isPassedOn = loadBalancers.find(address) !== undefined
    const connection = connections.open(socket, client, !isPassedOn)
    if (connection === undefined) return
    if (isPassedOn) void introduce(connection)
    else socket.once('readable', sniff)
  }

  /** Learns from a load balancer whose connection this is. */
  async function introduce (connection: Connection): Promise<void> {
    const { socket, client } = connection
    const introduction = await readIntroduction(socket, client)
    if (introduction.kind === 'nobody') {
      socket.destroy()
    } else if (introduction.kind === 'refused') {
      // Also when the time is up, and nobody hears it any more: whoever reads the log does.
      connections.claim(socket)
      askForNothing(connection)
      onUnusable({ ...endOf(connection, socket), target: '', refusal: introduction.refusal, voice: introduction.voice })
    } else {
      connection.client = introduction.client
      if (connections.countForClient(connection)) socket.once('readable', sniff)
    }
  }

  function sniff (this: Socket): void {
    const connection = connections.find(this)
    const bytes = this.read() as Buffer | null
    if (bytes === null || connection === undefined) {
      this.destroy()
      return
    }
    this.unshift(bytes)
    if (hasProxyOpening(bytes)) {
      askForNothing(connection)
      turnAway(this, refuseUnnamed(connection.client), httpVoice)
    } else if (!beginsHandshake(bytes)) readHead(this, this)
    else if (transparent !== undefined) void heedWish(this, transparent)
    else if (tls !== undefined) tls.shakeHands(this)
    else turnAway(this, refuseTls(), httpVoice)
  }

  /** TLS with the gateway, or through it: the server name says. */
  async function heedWish (socket: Socket, front: TransparentFront): Promise<void> {
    const wish = await front.readWish(socket)
    if (wish.kind === 'gateway') tls?.shakeHands(socket)
    else if (wish.kind === 'tunnel') tunnelHello(socket, wish.serverName, wish.hello)
    else if (wish.kind === 'refused') turnAway(socket, wish.refusal, alertVoice, wish.target)
    else socket.destroy()
  }

  function tunnelHello (socket: Socket, serverName: HostName, hello: Buffer): void {
    const connection = connections.claim(socket)
    if (connection === undefined) return
    onTunnel({ ...endOf(connection, socket), target: `${serverName}:443`, early: hello, voice: alertVoice })
  }

  function turnAway (stream: Duplex, refusal: Refusal, voice: Voice, target = ''): void {
    const connection = connections.claim(stream)
    if (connection !== undefined) onUnusable({ ...endOf(connection, stream), target, refusal, voice })
  }

  /** From here on the client understands an answer in HTTP. */
  function readHead (socket: Socket, stream: Duplex, certificate?: CertificateDecision): void {
    const connection = connections.find(socket)
    if (connection?.timer === undefined) {
      stream.destroy()
      return
    }
    if (certificate !== undefined) connection.client = { ...connection.client, certificate }
    connection.stream = stream
    connections.carry(connection, stream)
    heads.read(stream)
  }

  function createRequest (
    connection: Connection, stream: Duplex, { early, isPersistent, ...head }: ConnectHead,
  ): TunnelRequest {
    const request = { ...endOf(connection, stream), ...head, early, voice: httpVoice }
    if (++connection.requests === maxRequests || !isPersistent) return request
    return { ...request, again: () => readAgain(connection, stream, early) }
  }

  /** Takes back a connection whose client has been told to ask anew. */
  function readAgain (connection: Connection, stream: Duplex, early: Buffer): void {
    if (stream.destroyed) return
    if (early.length > 0) stream.unshift(early)
    connection.answeredAtByte = connection.socket.bytesRead
    connections.takeBack(connection)
    heads.read(stream)
  }

  /** The time is up. */
  function giveUp ({ client, stream, socket, answeredAtByte }: Connection): void {
    if (stream === undefined && tls !== undefined) tls.expire(socket)
    // Who has been answered and asks nothing more is told nothing more.
    else if (stream === undefined || socket.bytesRead === answeredAtByte) socket.destroy()
    else onUnusable({ client, end: { stream, socket }, target: '', refusal: refuseSlow(headTimeoutMs), voice: httpVoice })
  }

  server.on('connection', accept)
  server.on('drop', () => events.connectionDropped('gateway'))

  return {
    async start () {
      const listen = 'fd' in options.listen
        ? options.listen
        : { host: options.listen.address, port: options.listen.port }
      await new Promise<void>((resolve, reject) => {
        server.once('error', reject)
        server.listen(listen, () => {
          server.off('error', reject)
          resolve()
        })
      })
      return server.address() as AddressInfo
    },
    serveTlsWith: (files) => tls?.serveWith(files),
    stopAccepting: () => { server.close() },
    close () {
      server.close()
      connections.destroyAll()
    },
  }
}

/**
 * The address of a peer as Node gives it: IPv4 as IPv4, also on a socket for both families, and a link-local address
 * without the zone behind it, which only says by which of the gateway's own interfaces it came.
 */
export function parsePeer (text: string): Address | undefined {
  const address = parseAddress(text.replace(/%.*$/, ''))
  return address === undefined ? undefined : unmapAddress(address)
}

/** What a load balancer does wrong is told to whoever sets it up, not that it has no certificate. */
function askForNothing (connection: Connection): void {
  connection.client = { ...connection.client, certificate: noCertificateAsked }
}

function endOf ({ client, socket }: Connection, stream: Duplex): { client: Client, end: RelayEnd } {
  return { client, end: { stream, socket } }
}

function refuseTls (): Refusal {
  return refuse('bad_request', 'this port speaks clear text only',
    'Use http:// in the proxy URL, or give the gateway a certificate (listen.tls).')
}

function refuseSlow (timeoutMs: number): Refusal {
  return refuse('head_timeout', `no whole request within ${timeoutMs / 1000} s`,
    'See what holds the client up, or raise listen.headTimeout.')
}
