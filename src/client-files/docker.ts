import { trustAuthority } from './authority.ts'
import type { ClientFile, ClientRequest, ClientSetup } from './client-setup.ts'
import { createDropIn } from './drop-in.ts'
import { formatProxyUrl } from '../net/proxy-url.ts'
import { createCurlStep, listVariables } from './variables.ts'

/** The Docker engine: its own configuration, or for old ones the environment of its service. */
export function createDockerSetup (request: ClientRequest): ClientSetup {
  const trust = trustAuthority(request)
  return {
    files: [createDaemonJson(request), createOlderForm(request), ...trust.files],
    steps: [
      ...trust.steps,
      { command: 'sudo systemctl daemon-reload' },
      { command: 'sudo systemctl restart docker', expect: 'containers stop meanwhile, unless live-restore is on' },
      { command: 'docker info --format \'{{.HTTPSProxy}}\'', expect: 'the URL, with xxxxx:xxxxx for a name and a password' },
      createCurlStep(request),
    ],
    notes: [
      'One of the two files is enough; --directory writes daemon.json, with --drop-in the other one. In docker 23 and later ' +
      'daemon.json wins; an older docker does not start with proxies in that file.',
      'Docker Desktop reads neither; it has the setting Resources, Proxies.',
      'This is for pulls. What containers themselves use is proxies in ~/.docker/config.json, and they do not need the gateway.',
      ...trust.notes,
    ],
  }
}

function createDaemonJson ({ proxy, noProxy }: ClientRequest): ClientFile {
  const value = { proxies: { 'https-proxy': formatProxyUrl(proxy), 'no-proxy': noProxy.join(',') } }
  return {
    path: '/etc/docker/daemon.json',
    content: `${JSON.stringify(value, null, 2)}\n`,
    merging: { kind: 'json', value },
    // Nobody but root has to read a password.
    mode: proxy.credentials === undefined ? 0o644 : 0o600,
    choice: { name: 'daemon.json', when: 'docker 23 and later' },
  }
}

function createOlderForm (request: ClientRequest): ClientFile {
  return {
    ...createDropIn('docker', listVariables(request)),
    choice: { name: 'drop-in', when: 'docker before 23, in place of daemon.json' },
  }
}
