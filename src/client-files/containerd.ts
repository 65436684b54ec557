import { trustAuthority } from './authority.ts'
import type { ClientRequest, ClientSetup } from './client-setup.ts'
import { createDropIn } from './drop-in.ts'
import { formatProxyUrl } from '../net/proxy-url.ts'
import { quoteForShell } from './quoting.ts'
import { createCurlStep, listVariables } from './variables.ts'

/** containerd, and so a kubelet that has it pull: the environment of its service. */
export function createContainerdSetup (request: ClientRequest): ClientSetup {
  const trust = trustAuthority(request)
  const url = quoteForShell(formatProxyUrl(request.proxy))
  return {
    files: [createDropIn('containerd', listVariables(request), comments), ...trust.files],
    steps: [
      ...trust.steps,
      { command: 'sudo systemctl daemon-reload' },
      { command: 'sudo systemctl restart containerd', expect: 'containers go on running' },
      { command: 'systemctl show containerd --property=Environment', expect: 'HTTPS_PROXY with one % where the file has two' },
      { command: `sudo crictl pull ${request.loginServer}/IMAGE:TAG`, expect: 'a pull as the kubelet does it' },
      createCurlStep(request),
    ],
    notes: [
      'The kubelet and crictl have containerd pull, in its own process, with the variables of this file. ctr before containerd 2, ' +
      `and nerdctl, pull in their own: HTTPS_PROXY=${url} ctr images pull ...`,
      'containerd starts the network plugins of Kubernetes with these variables too: add the cluster\'s own addresses, ' +
      '--no-proxy 10.96.0.0/12,10.244.0.0/16,.svc,.cluster.local with your service and pod networks and the API server.',
      ...trust.notes,
    ],
  }
}

const comments = [
  'k3s and RKE2 have a containerd of their own, and read no drop-in of containerd.service. There, write',
  'CONTAINERD_HTTPS_PROXY=URL and CONTAINERD_NO_PROXY=LIST, with one % where there are two below and without quotes, to',
  '/etc/systemd/system/k3s.service.env (k3s-agent.service.env), or /etc/default/rke2-server (rke2-agent), and restart it.',
]
