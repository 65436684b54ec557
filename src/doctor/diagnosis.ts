import type { SecureContext } from 'node:tls'
import type { Registry } from '../acr/endpoints.ts'
import type { HostName } from '../net/host-name.ts'
import type { ProxyUrl } from '../net/proxy-url.ts'
import type { Rule } from '../policy/rule.ts'
import { checkChallenge } from './challenge.ts'
import { type DirectPathOptions, walkDirectly } from './direct-path.ts'
import { checkEndpoints, listOtherEndpoints } from './endpoint.ts'
import { type Exchange, createExchange } from './exchange.ts'
import { type TrustOptions, checkTls } from './handshake.ts'
import type { ImageReference } from './image-reference.ts'
import { fetchLayerLink } from './layer-link.ts'
import { fetchLayerStart } from './layer.ts'
import { type Platform, fetchLargestLayer } from './manifest.ts'
import { type ParentPath, describeAffair, walkThroughParent } from './parent-path.ts'
import { walkThroughProxy } from './proxied-path.ts'
import type { Route } from './route.ts'
import type { Step, StepName } from './step.ts'
import { type Credentials, fetchToken } from './token.ts'
import { type PlannedStep, type Walk, WalkStopped, createWalk, describeSkipped } from './walk.ts'

export interface DiagnosisOptions extends DirectPathOptions, TrustOptions {
  readonly secureContext: SecureContext
  /** Each is walked to, one after the other. */
  readonly registries: readonly Registry[]
  /** Absent: as the gateway goes. */
  readonly proxy?: ProxyUrl | undefined
  /** How the gateway goes; absent: directly. */
  readonly parent?: ParentPath | undefined
  /** Absent: the walk ends at the challenge. */
  readonly image?: ImageReference | undefined
  readonly credentials?: Credentials | undefined
  readonly platform: Platform
  /** The time of most steps; 10 s when absent. */
  readonly stepTimeoutMs?: number
  /** Ends the walk where it is. */
  readonly stop: AbortSignal
  readonly onStart: (step: PlannedStep) => void
  /** Called once for each step, when it is over. */
  readonly onStep: (step: Step) => void
}

// Each is a round trip or a few; a registry that takes longer is not one that docker waits for.
const defaultStepTimeoutMs = 10_000

/**
 * Walks the path of a pull from each registry. What is wrong is told of by steps, and rejects nothing.
 * Resolves with whether the walk came to its end, and was not stopped.
 */
export async function diagnose (options: DiagnosisOptions): Promise<boolean> {
  const exchange = createExchange(options.secureContext)
  const { stepTimeoutMs = defaultStepTimeoutMs } = options
  try {
    for (const registry of options.registries) {
      const walk = createWalk({ ...options, registry: registry.loginServer.host, stepTimeoutMs })
      await walkRegistry(walk, registry, exchange, options)
    }
    return true
  } catch (error) {
    if (error instanceof WalkStopped) return false
    throw error
  }
}

async function walkRegistry (
  walk: Walk, registry: Registry, exchange: Exchange, options: DiagnosisOptions,
): Promise<void> {
  const { host } = registry.loginServer
  const { image, proxy, parent, now } = options
  walk.plan([
    ...listPathSteps(host, options), ...listSteps(host, ['challenge']),
    ...image === undefined ? [] : [...listSteps(host, ['token', 'manifest', 'link']), ...listSteps('', ['layer'])],
  ])
  let layerHost: HostName | undefined
  const failed = await walk.run(async () => {
    const route = await walkPath(walk, host, findRule(options, host), options)
    const place = await checkChallenge(walk, route, exchange, now)
    if (image !== undefined) layerHost = await pullLayer({ walk, route, exchange, options }, image, place)
  })
  if (proxy !== undefined) return
  const others = listOtherEndpoints(options.policy, host, layerHost)
  if (parent?.resolver === 'parent') {
    for (const { host: other } of others) walk.skip({ step: 'endpoint', host: other }, describeAffair(parent))
  } else if (failed !== 'name') await checkEndpoints(walk, others, options)
  else {
    // Each would wait for the same name servers.
    for (const { host: other } of others) walk.skip({ step: 'endpoint', host: other }, describeSkipped(failed))
  }
}

/** What the steps of one registry share. */
interface Pull {
  readonly walk: Walk
  /** To the login server. */
  readonly route: Route
  readonly exchange: Exchange
  readonly options: DiagnosisOptions
}

/** Goes on to a layer; gives the host that it came from. */
async function pullLayer (
  { walk, route, exchange, options }: Pull, image: ImageReference, place: Awaited<ReturnType<typeof checkChallenge>>,
): Promise<HostName> {
  const { credentials, platform, policy, proxy } = options
  const isProxied = proxy !== undefined
  const { repository } = image
  const authorization = await fetchToken(walk, route, exchange, { place, repository, credentials })
  const layer = await fetchLargestLayer(walk, route, exchange, { image, platform, authorization })
  const link = await fetchLayerLink(walk, route, exchange, { repository, layer, authorization, policy, isProxied })
  const { url, host } = link
  if (host === route.host) {
    await fetchLayerStart(walk, route, exchange, { url, layer, authorization })
    return host
  }
  walk.plan(listPathSteps(host, options))
  const layerRoute = await walkPath(walk, host, link.rule, options)
  await fetchLayerStart(walk, layerRoute, exchange, { url, layer, authorization: {} })
  return host
}

/** The way to a host, up to TLS. Only a proxy that clients go through can lead where no rule leads. */
async function walkPath (
  walk: Walk, host: HostName, rule: Rule | undefined, options: DiagnosisOptions,
): Promise<Route> {
  const route = await walkToTunnel(walk, host, rule, options)
  await checkTls(walk, route, options)
  return route
}

async function walkToTunnel (
  walk: Walk, host: HostName, rule: Rule | undefined, options: DiagnosisOptions,
): Promise<Route> {
  const { proxy, parent, secureContext } = options
  if (proxy !== undefined) return await walkThroughProxy(walk, host, { proxy, trust: { secureContext } })
  const demanded = demandRule(rule, host)
  return parent === undefined
    ? await walkDirectly(walk, demanded, host, options)
    : await walkThroughParent(walk, demanded, host, parent, options)
}

function findRule ({ policy }: DiagnosisOptions, host: HostName): Rule | undefined {
  const decision = policy.decideTarget(`${host}:443`)
  return decision.allow ? decision.rule : undefined
}

function demandRule (rule: Rule | undefined, host: HostName): Rule {
  if (rule === undefined) throw new TypeError(`no rule lets ${host} through, and it was to be dialled`)
  return rule
}

function listPathSteps (host: string, { proxy, parent }: DiagnosisOptions): PlannedStep[] {
  const connection = proxy === undefined && parent === undefined ? 'tcp' : 'proxy'
  return listSteps(host, ['name', 'address', connection, 'tls'])
}

function listSteps (host: string, steps: readonly StepName[]): PlannedStep[] {
  return steps.map((step) => ({ step, host }))
}
