import { registryName } from '../acr/login-server.ts'
import { type Findings, type RegistryEvidence, formatTime, neededMs } from './evidence.ts'

/** What a person does next, in this order: each data endpoint must be open before a registry sends clients to it. */
export function listSteps (verdict: string, evidence: RegistryEvidence, findings: Findings): string[] {
  switch (verdict) {
    case 'safe': return listLastSteps(evidence)
    case 'done': return [...listRepairs(evidence, findings), ...listSwitch(evidence, findings)]
    default: return [
      ...listRepairs(evidence, findings), ...listSwitch(evidence, findings), ...listWaiting(evidence, findings),
    ]
  }
}

function listRepairs (
  { registry }: RegistryEvidence, { failedChecks, closedEndpoints, layerEndpoints }: Findings,
): string[] {
  const { host } = registry.loginServer
  const list = `az acr show-endpoints --name ${registryName(registry.loginServer)} | acr-egress import --into /etc/acr-egress/config.yaml`
  const steps: string[] = []
  if (registry.regions.length === 0) {
    steps.push(`list the regions of ${host}, and restart the gateway: ${list}`)
  } else if (closedEndpoints.length > 0) {
    const regions = [...registry.regions, ...closedEndpoints.map(({ region }) => region)]
    steps.push(`write regions: [${regions.join(', ')}] for ${host}, if it has replicas there, and restart the gateway`)
  }
  // Nothing says whether Azure has the names before data endpoints are turned on.
  const proviso = layerEndpoints.length > 0 ? '' : '; if only the name is missing, it may come when data endpoints are turned on'
  return [...steps, ...failedChecks.map(({ host: failed }) => {
    return `mend ${failed}, and see: acr-egress explain ${failed}${proviso}`
  })]
}

/** Data endpoints are on or off for a whole registry, so one layer says that they are on. */
function listSwitch ({ registry }: RegistryEvidence, { layerEndpoints, recentBlobs }: Findings): string[] {
  if (layerEndpoints.length > 0) return []
  if (recentBlobs.length === 0) {
    return registry.storage === 'none' ? [] : ['pull an image through the gateway, and look again: docker pull']
  }
  return [`turn on dedicated data endpoints (Premium): az acr update --name ${registryName(registry.loginServer)} --data-endpoint-enabled; ` +
    'from then on every client is sent to them, so do what stands above first']
}

function listWaiting ({ now }: RegistryEvidence, { layerEndpoints, lastBlob, watchedMs }: Findings): string[] {
  const missingMs = neededMs - watchedMs
  if (missingMs <= 0) return []
  const until = formatTime(now + missingMs)
  if (layerEndpoints.length === 0) return ['look again two weeks after the last blob']
  return [`wait, and look again after ${until}${lastBlob > 0 ? ', if no blob is asked for until then' : ''}`]
}

function listLastSteps ({ registry }: RegistryEvidence): string[] {
  const { host } = registry.loginServer
  const name = registryName(registry.loginServer)
  return [
    'see that every other gateway of this registry says the same',
    `see that no region is missing: az acr show-endpoints --name ${name} > endpoints.json && acr-egress check --endpoints endpoints.json`,
    `drop storage of ${host} from the configuration (none is its default), and restart the gateway`,
    'look out for storage_not_enabled in the log; should it come, write storage back',
  ]
}
