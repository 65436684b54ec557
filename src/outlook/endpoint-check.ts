import { type PeerCertificate, checkServerIdentity, connect } from 'node:tls'
import type { HostName } from '../net/host-name.ts'
import { type ExplainedAddress, explainAddress } from '../policy/explain.ts'
import type { Policy } from '../policy/policy.ts'
import { describeFailure } from '../proxy/failure.ts'
import type { Reach, ReachedEnd } from '../proxy/reach.ts'
import type { Refusal } from '../refusal/reasons.ts'

/** Whether a data endpoint can be used from here, now; a JSON value. */
export interface EndpointCheck {
  readonly host: string
  /** It resolves, an address of it may be dialled, and what answers there has a certificate for the name. */
  readonly ok: boolean
  readonly addresses: readonly ExplainedAddress[]
  /** Of whatever answered; its chain was not verified, since clients bring authorities of their own. */
  readonly certificate?: SeenCertificate
  /** What is wrong; what to do. '' when nothing is. */
  readonly problem: string
}

/** Whom a certificate names. These are bytes from outside. */
export interface SeenCertificate {
  readonly names: readonly string[]
  readonly issuer: string
  /** Whether the name that was asked for is among them. */
  readonly isForHost: boolean
}

/** Looks at the data endpoints of a configuration. */
export interface EndpointChecks {
  /** By host. One round at a time, and its result is kept for 30 s: asking often makes no traffic. Never rejects. */
  look (): Promise<ReadonlyMap<string, EndpointCheck>>
  /** Ends a round that is going on. */
  close (): void
}

export interface EndpointChecksOptions {
  readonly hosts: readonly HostName[]
  readonly policy: () => Policy
  /** The gateway's own way out, by which clients would go. */
  readonly reach: Reach
  /** How long a round may take; 8 seconds unless told, below the 10 that the admin listener waits. */
  readonly timeoutMs?: number
  /** Milliseconds on any steady clock. */
  readonly now?: () => number
}

const defaultTimeoutMs = 8000
const keptMs = 30_000
const checksAtOnce = 8
/** A certificate of Azure has a few names, and nobody reads hundreds. */
const namesKept = 5

/** Makes the checks; nothing is asked before `look`. The caller closes it. */
export function createEndpointChecks (options: EndpointChecksOptions): EndpointChecks {
  const { hosts, policy, reach, timeoutMs = defaultTimeoutMs, now = () => performance.now() } = options
  const closing = new AbortController()
  let round: Promise<ReadonlyMap<string, EndpointCheck>> | undefined
  let endedAt: number | undefined

  async function start (): Promise<ReadonlyMap<string, EndpointCheck>> {
    const signal = AbortSignal.any([closing.signal, AbortSignal.timeout(timeoutMs)])
    const found = new Map<string, EndpointCheck>()
    const waiting = [...hosts]
    const work = async (): Promise<void> => {
      for (let host = waiting.shift(); host !== undefined; host = waiting.shift()) {
        found.set(host, await checkEndpoint(host, policy(), reach, signal))
      }
    }
    await Promise.all(Array.from({ length: checksAtOnce }, work))
    endedAt = now()
    return found
  }

  return {
    async look () {
      if (endedAt !== undefined && now() - endedAt >= keptMs) {
        round = undefined
        endedAt = undefined
      }
      round ??= start()
      return await round
    },
    close: () => closing.abort(),
  }
}

/** Resolves, judges, dials and shakes hands, as a tunnel and its client would. Never rejects. */
export async function checkEndpoint (
  host: HostName, policy: Policy, reach: Reach, signal: AbortSignal,
): Promise<EndpointCheck> {
  const target = `${host}:443`
  const addresses: ExplainedAddress[] = []
  try {
    const decision = policy.decideTarget(target)
    if (!decision.allow) return fail(host, addresses, decision.refusal)
    const { end } = await reach.open({ ...decision, policy: tellVerdicts(policy, addresses) }, signal)
    return describeAnswer(host, addresses, await readCertificate(end, host, signal))
  } catch (error) {
    if (signal.aborted) return fail(host, addresses, tooLate(host))
    return fail(host, addresses, describeFailure(error, target).refusal)
  }
}

/** The decisions of a policy, each of which is kept. */
function tellVerdicts (policy: Policy, told: ExplainedAddress[]): Pick<Policy, 'decideAddress'> {
  return {
    decideAddress (rule, address) {
      const verdict = policy.decideAddress(rule, address)
      told.push(explainAddress(address, verdict))
      return verdict
    },
  }
}

function tooLate (host: string): Pick<Refusal, 'detail' | 'hint'> {
  return { detail: `${host} did not answer in time`, hint: 'See what lies between, then ask again.' }
}

function fail (
  host: string, addresses: EndpointCheck['addresses'], { detail, hint }: Pick<Refusal, 'detail' | 'hint'>,
): EndpointCheck {
  return { host, ok: false, addresses, problem: `${detail}; ${hint}` }
}

function describeAnswer (
  host: string, addresses: EndpointCheck['addresses'], certificate: SeenCertificate | string,
): EndpointCheck {
  if (typeof certificate === 'string') {
    const detail = `${host} was connected to, and answers no TLS (${certificate})`
    return fail(host, addresses, { detail, hint: 'See what stands in its place: a firewall, or a proxy that looks into TLS.' })
  }
  if (certificate.isForHost) return { host, ok: true, addresses, certificate, problem: '' }
  const hint = 'See what answers in its place: a firewall, or a private endpoint of another registry.'
  return { ...fail(host, addresses, { detail: `${host} answers with a certificate for other names`, hint }), certificate }
}

/** The certificate, or the code of why there is none. Owns the end, which is destroyed. */
async function readCertificate (
  { stream }: ReachedEnd, host: HostName, signal: AbortSignal,
): Promise<SeenCertificate | string> {
  // Nothing is sent behind the handshake, so that nobody is trusted with anything.
  const secure = connect({ socket: stream, servername: host, rejectUnauthorized: false })
  const destroy = (): void => { secure.destroy(new Error('it took too long')) }
  signal.addEventListener('abort', destroy)
  try {
    return await new Promise((resolve) => {
      secure.once('secureConnect', () => resolve(describeCertificate(host, secure.getPeerCertificate())))
      secure.once('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? 'no code'))
      secure.once('close', () => resolve('it hung up'))
      if (signal.aborted) destroy()
    })
  } finally {
    signal.removeEventListener('abort', destroy)
    secure.on('error', () => {})
    secure.destroy()
    stream.destroy()
  }
}

function describeCertificate (host: HostName, certificate: PeerCertificate): SeenCertificate {
  const alternatives = certificate.subjectaltname?.split(', ').map((name) => name.replace(/^DNS:/, '')) ?? []
  const names = alternatives.length > 0 ? alternatives : [certificate.subject.CN].flat()
  const issuer = certificate.issuer.O ?? certificate.issuer.CN
  return {
    names: names.slice(0, namesKept).map(String),
    issuer: [issuer].flat().join(', '),
    isForHost: checkServerIdentity(host, certificate) === undefined,
  }
}
