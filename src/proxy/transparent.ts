import type { Socket } from 'node:net'
import { neverCut } from '../net/cut-signal.ts'
import type { HostName } from '../net/host-name.ts'
import { type Refusal, refuse } from '../refusal/reasons.ts'
import { readFirstBytes } from './first-bytes.ts'
import { createRepeatedHellos } from './repeated-hellos.ts'
import { judgeHello, refuseProblem } from './server-name.ts'

/** What a client wants that speaks TLS without a CONNECT before it. */
export type TlsWish =
  /** TLS with the gateway itself; its hello is put back. */
  | { readonly kind: 'gateway' }
  /** A tunnel to the host that its hello names. */
  | { readonly kind: 'tunnel', readonly serverName: HostName, readonly hello: Buffer }
  /** What cannot be had; `target` is '' where no host is named. */
  | { readonly kind: 'refused', readonly refusal: Refusal, readonly target: string }
  /** Nothing any more: it is gone. */
  | { readonly kind: 'gone' }

/** Tells TLS with the gateway from TLS through it. */
export interface TransparentFront {
  /** Reads the hello of a client. Never rejects. Time limits are the caller's, who closes the socket. */
  readWish (socket: Socket): Promise<TlsWish>
}

export interface TransparentOptions {
  /** Whether the gateway has a certificate for a name; absent when it has none at all. */
  readonly isOwnName: ((name: HostName) => boolean) | undefined
}

/** Remembers the hellos of tunnels, so that a tunnel that leads back to the gateway is known. */
export function createTransparentFront ({ isOwnName }: TransparentOptions): TransparentFront {
  const hellos = createRepeatedHellos()

  function judgeTunnel (serverName: HostName, hello: Buffer): TlsWish {
    if (!hellos.hasMet(hello)) return { kind: 'tunnel', serverName, hello }
    return { kind: 'refused', refusal: refuseLoop(serverName), target: `${serverName}:443` }
  }

  return {
    async readWish (socket) {
      const first = await readFirstBytes(socket, Buffer.alloc(0), judgeHello, neverCut)
      if (first.kind !== 'judged') return { kind: 'gone' }
      const { verdict, bytes } = first
      if (verdict.state === 'not_tls') return { kind: 'refused', refusal: refuseProblem(verdict.problem), target: '' }
      const { serverName } = verdict
      if (serverName !== undefined && isOwnName?.(serverName) !== true) return judgeTunnel(serverName, bytes)
      if (isOwnName === undefined) return { kind: 'refused', refusal: refuseNameless(), target: '' }
      socket.unshift(bytes)
      return { kind: 'gateway' }
    },
  }
}

function refuseNameless (): Refusal {
  return refuse('server_name_mismatch', 'the TLS of the client names no server',
    'Where there is no CONNECT the server name is all that says where to; use a client that sends it.')
}

function refuseLoop (serverName: HostName): Refusal {
  return refuse('loop_detected', `the tunnel to ${serverName} has led back to this gateway`,
    'Give the gateway name servers, or dns.hosts, that know the registry\'s own addresses.')
}
