import { type HostName, canonicalHostName } from '../net/host-name.ts'
import type { Policy } from '../policy/policy.ts'
import type { Rule } from '../policy/rule.ts'
import type { Reason } from '../refusal/reasons.ts'
import type { Answer, Exchange } from './exchange.ts'
import { type Descriptor, nameDigest } from './manifest.ts'
import { failByStatus } from './registry-answer.ts'
import type { Route } from './route.ts'
import { type Outcome, StepFailure, failByRefusal } from './step.ts'
import type { Authorization } from './token.ts'
import type { Walk } from './walk.ts'

/** Where a layer is. */
export interface LayerLink {
  /** Its query is a secret: whoever has it can fetch the layer. */
  readonly url: URL
  readonly host: HostName
  /** By which the gateway lets the host through; absent when that is for the proxy to say. */
  readonly rule?: Rule
}

export interface LayerLinkOptions {
  readonly repository: string
  readonly layer: Descriptor
  readonly authorization: Authorization
  readonly policy: Policy
  /** Through a proxy: it may know more regions than is known here, and says so itself. */
  readonly isProxied: boolean
}

/** What a gateway with another configuration may let through: it is for the proxy to say. */
const nearMisses: ReadonlySet<Reason> = new Set<Reason>([
  'region_not_configured', 'regional_not_enabled', 'storage_not_enabled',
])

const redirects: ReadonlySet<number> = new Set([301, 302, 303, 307, 308])

/** Asks for a layer without following the link that comes, and judges where it points: one step. */
export async function fetchLayerLink (
  walk: Walk, route: Route, exchange: Exchange, options: LayerLinkOptions,
): Promise<LayerLink> {
  const { host } = route
  return await walk.take({
    step: 'link',
    host,
    late: { found: 'the registry gave no link', toDo: `Try again; if it stays, see what is between here and ${host}.` },
    take: async (signal) => {
      const { repository, layer: { digest }, authorization } = options
      const url = new URL(`https://${host}/v2/${repository}/blobs/${digest}`)
      const response = await exchange.ask(route, { url, headers: authorization, signal })
      response.destroy()
      const answer = { status: response.statusCode ?? 0, headers: response.headers, body: Buffer.alloc(0) }
      if (answer.status === 200) return judgeHost(url, options, `${host} serves layers itself`)
      return judgeLink(answer, url, options)
    },
  })
}

function judgeLink (answer: Answer, from: URL, options: LayerLinkOptions): Outcome<LayerLink> {
  const what = `the request for layer ${nameDigest(options.layer.digest)}`
  if (!redirects.has(answer.status)) throw failByStatus(answer, what)
  const location = answer.headers.location ?? ''
  if (location === '' || !URL.canParse(location, from.href)) {
    throw new StepFailure(`${what} was answered with ${answer.status} and no link`,
      'See what answers in the place of the registry.')
  }
  const url = new URL(location, from)
  return judgeHost(url, options, `the layer is at ${url.host}`)
}

function judgeHost (url: URL, { policy, isProxied }: LayerLinkOptions, found: string): Outcome<LayerLink> {
  const host = canonicalHostName(url.hostname)
  if (url.protocol !== 'https:' || host === undefined) {
    throw new StepFailure(`the link leads to ${url.origin}, and no layer of an Azure registry is there`,
      'See what answers in the place of the registry.')
  }
  const decision = policy.decideTarget(`${host}:${url.port === '' ? '443' : url.port}`)
  if (decision.allow) return { value: { url, host, rule: decision.rule }, found }
  const { refusal } = decision
  if (!isProxied || !nearMisses.has(refusal.reason)) throw failByRefusal(refusal)
  return { value: { url, host }, found }
}
