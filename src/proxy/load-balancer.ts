import type { Socket } from 'node:net'
import { neverCut } from '../net/cut-signal.ts'
import { type ProxyHeaderProblem, type ProxyHeaderReading, maxVersion2Bytes, readProxyHeader } from '../net/proxy-header.ts'
import { type Refusal, refuse } from '../refusal/reasons.ts'
import { alertVoice } from './alert.ts'
import { readFirstBytes } from './first-bytes.ts'
import { type Voice, httpVoice } from './reply.ts'
import { beginsHandshake } from './tls-front.ts'
import type { Client } from './client.ts'

/** Who is at the other end of a connection from a load balancer. */
export type Introduction =
  /** A client, or the load balancer itself, which has connections of its own. */
  | { readonly kind: 'client', readonly client: Client }
  /** Nobody: it closed without a word, as many do to see whether somebody listens. */
  | { readonly kind: 'nobody' }
  /** There is no saying, and the load balancer has to be set otherwise. The voice is for what the client has sent. */
  | { readonly kind: 'refused', readonly refusal: Refusal, readonly voice: Voice }

/**
 * Reads the header of the PROXY protocol that a load balancer sends before everything else, and puts back what is
 * behind it. Never rejects. Time limits are the caller's, who closes the socket.
 */
export async function readIntroduction (socket: Socket, balancer: Client): Promise<Introduction> {
  const first = await readFirstBytes(socket, Buffer.alloc(0), judge, neverCut)
  if (first.kind !== 'judged') {
    return first.bytes.length === 0 ? { kind: 'nobody' } : refuseHeader('garbled', balancer, httpVoice)
  }
  const { verdict, bytes } = first
  if (verdict.kind === 'malformed') {
    return refuseHeader(verdict.problem, balancer, beginsHandshake(bytes) ? alertVoice : httpVoice)
  }
  if (bytes.length > verdict.length) socket.unshift(bytes.subarray(verdict.length))
  return { kind: 'client', client: { ...balancer, ...verdict.source } }
}

type WholeReading = Exclude<ProxyHeaderReading, { kind: 'partial' }>

function judge (bytes: Buffer): WholeReading | undefined {
  const reading = readProxyHeader(bytes)
  return reading.kind === 'partial' ? undefined : reading
}

function refuseHeader (problem: ProxyHeaderProblem, { address }: Client, voice: Voice): Introduction {
  const [what, advice] = describeProblem(problem)
  const refusal = refuse('bad_request', `${what} the load balancer ${address.text}, which listen.proxyProtocol names`, advice)
  return { kind: 'refused', refusal, voice }
}

/** What is the matter, up to the name of the load balancer, and what to do there. */
function describeProblem (problem: ProxyHeaderProblem): readonly [what: string, advice: string] {
  switch (problem) {
    case 'absent':
      return ['no PROXY protocol header from', 'Turn the PROXY protocol on at the load balancer, for the connections to ' +
        'the gateway (HAProxy: send-proxy-v2), or take its address out of listen.proxyProtocol.']
    case 'garbled':
      return ['a PROXY protocol header that cannot be read from', 'See that the load balancer sends version 1 or 2 of the ' +
        'PROXY protocol, whole, once, and before everything else.']
    case 'too_long':
      return [`a PROXY protocol header over ${16 + maxVersion2Bytes} bytes from`, 'Have the load balancer add fewer fields ' +
        'to its header; the gateway uses none of them.']
    case 'not_tcp':
      return ['a PROXY protocol header that is not for TCP from', 'See that the load balancer passes on TCP connections ' +
        'only, and none of UDP or UNIX sockets.']
  }
}

/** For a header from an address that is none of the load balancers'. */
export function refuseUnnamed ({ address }: Client): Refusal {
  return refuse('bad_request', `a PROXY protocol header from ${address.text}, which listen.proxyProtocol does not name`,
    'If that is a load balancer of yours, add its address to listen.proxyProtocol; else turn the PROXY protocol off there.')
}
