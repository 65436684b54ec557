import type { ClientFile, ClientRequest, ClientSetup, Entry } from './client-setup.ts'
import { createDropIn } from './drop-in.ts'
import { localNames } from './no-proxy.ts'
import { formatProxyUrl } from '../net/proxy-url.ts'
import { quoteForToml } from './quoting.ts'
import { createCurlStep } from './variables.ts'

/**
 * Azure IoT Edge: the same URL in four places, as lower-case `https_proxy`, which is what `iotedge check` compares
 * (Azure/iotedge, edgelet/iotedge/src/check/checks/proxy_settings.rs) and the Edge agent reads.
 */
export function createIotEdgeSetup (request: ClientRequest): ClientSetup {
  const variable = { key: 'https_proxy', value: formatProxyUrl(request.proxy) }
  // docker leaves out what is local without being told.
  const isLocalOnly = request.noProxy.length === localNames.length
  const noProxy = isLocalOnly ? [] : [{ key: 'no_proxy', value: request.noProxy.join(',') }]
  return {
    files: [
      createDropIn('docker', [variable, ...noProxy]),
      createDropIn('aziot-edged', [variable]),
      createDropIn('aziot-identityd', [variable]),
      createAgentEnvironment(variable),
    ],
    steps: [
      { command: 'sudo systemctl daemon-reload' },
      { command: 'sudo systemctl restart docker' },
      { command: 'sudo iotedge config apply' },
      { command: 'sudo iotedge system restart' },
      { command: 'sudo iotedge check', expect: 'proxy settings are consistent in aziot-edged, aziot-identityd, moby daemon and config.toml - OK' },
      createCurlStep(request),
    ],
    notes,
  }
}

const notes = [
  'In config.toml the lines need the sections [agent] and [agent.config] before them: take the comment signs away there. A ' +
  'deployment from IoT Hub must have the same two variables for edgeAgent, and for edgeHub, or it takes them away again.',
  'All four must have the same URL to the letter, also proxies in /etc/docker/daemon.json if it is there, which wins over the drop-in.',
  'These services send all they do here. In the gateway\'s configuration: extraHosts: [HUB.azure-devices.net, ' +
  'global.azure-devices-provisioning.net], and the hosts that your modules need.',
  'The images of the runtime are in mcr.microsoft.com, with layers in REGION.data.mcr.microsoft.com. Best have them in your own ' +
  'registry (az acr import); otherwise let those hosts through as well.',
  'aziot-edged and aziot-identityd do not look at no_proxy.',
]

function createAgentEnvironment (variable: Entry): ClientFile {
  // Of the ways to IoT Hub only those over WebSockets go through a proxy.
  const entries = [variable, { key: 'UpstreamProtocol', value: 'AmqpWs', others: ['MqttWs'] }]
  const lines = entries.map(({ key, value }) => `${quoteForToml(key)} = ${quoteForToml(value)}\n`)
  return {
    path: '/etc/aziot/config.toml',
    content: `[agent.env]\n${lines.join('')}`,
    merging: { kind: 'toml', table: 'agent.env', entries },
    mode: 0o600,
  }
}
