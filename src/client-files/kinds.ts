import type { ClientRequest, ClientSetup } from './client-setup.ts'
import { createContainerdSetup } from './containerd.ts'
import { createDockerSetup } from './docker.ts'
import { createEnvironmentSetup } from './environment.ts'
import { createIotEdgeSetup } from './iot-edge.ts'
import { createPodmanSetup } from './podman.ts'

/** Every kind of client that there are files for. */
export const clientKinds = ['docker', 'containerd', 'podman', 'iotedge', 'env'] as const

export type ClientKind = typeof clientKinds[number]

const setups: Readonly<Record<ClientKind, (request: ClientRequest) => ClientSetup>> = {
  docker: createDockerSetup,
  containerd: createContainerdSetup,
  podman: createPodmanSetup,
  iotedge: createIotEdgeSetup,
  env: createEnvironmentSetup,
}

/** The files of a client, for whoever has made sure that it can use such a proxy (`findMismatch`). */
export function createClientSetup (kind: ClientKind, request: ClientRequest): ClientSetup {
  return setups[kind](request)
}

/** Why a kind of client cannot use such a proxy, and what to do; `undefined` when it can. */
export function findMismatch (kind: ClientKind, { proxy, authorityPem }: ClientRequest): string | undefined {
  if (kind === 'iotedge' && proxy.scheme === 'https') {
    return 'the runtime of IoT Edge always speaks http:// to its proxy, and all four places need the same URL; write ' +
      `http://${proxy.host.includes(':') ? `[${proxy.host}]` : proxy.host}:${proxy.port} (the gateway takes both at the same port)`
  }
  if (kind === 'iotedge' && isLoopback(proxy.host)) {
    return `the Edge agent runs in a container, where ${proxy.host} is the container itself; write the address of this machine ` +
      'that containers reach, like that of the bridge azure-iot-edge, and let the gateway listen there'
  }
  if (authorityPem !== undefined && proxy.scheme === 'http') {
    return 'an authority is only needed for https:// proxy URLs; leave --ca out, or write --proxy https://…'
  }
  return undefined
}

/** Whether the proxy is on the client's own machine (RFC 6761 §6.3, RFC 1122 §3.2.1.3, RFC 4291 §2.5.3). */
export function isLoopback (host: string): boolean {
  return host === 'localhost' || host.endsWith('.localhost') || host === '::1' || /^127(?:\.\d+){3}$/.test(host)
}
