import type { Socket } from 'node:net'
import type { HostName } from '../net/host-name.ts'
import { type ProxyUrl, describeProxyUrl, formatBasicAuthorization } from '../net/proxy-url.ts'
import { openConnection } from '../outbound/connection.ts'
import { type Trust, openSecureSocket } from '../outbound/secure-socket.ts'
import { type ProxyAddress, openTunnel } from '../outbound/tunnel-client.ts'
import { codeOf, isNotHttp } from './connection-failure.ts'
import { describeProxyFailure } from './proxy-failure.ts'
import type { Route } from './route.ts'
import type { Walk } from './walk.ts'

/** What it takes to go through a proxy. */
export interface ProxiedPathOptions {
  readonly proxy: ProxyUrl
  /** Whom to trust when the proxy is spoken to over TLS. */
  readonly trust: Trust
}

/** The gateway's own limit for a connection is 10 s, and its refusal says more than silence. */
const patience = 2

/** Has the proxy open a tunnel to the host: one step; names and addresses are the proxy's affair. */
export async function walkThroughProxy (walk: Walk, host: HostName, options: ProxiedPathOptions): Promise<Route> {
  const text = describeProxyUrl(options.proxy)
  walk.skip({ step: 'name', host }, `the affair of the proxy ${text}`)
  walk.skip({ step: 'address', host }, `the affair of the proxy ${text}`)
  const route: Route = { host, open: async (signal) => await openOrFail(host, options, signal) }
  await walk.take({
    step: 'proxy',
    host,
    late: {
      found: `the proxy ${text} did not answer the CONNECT`,
      toDo: `See that it is a proxy and runs, and that ${host} is not dropped behind it.`,
    },
    patience,
    take: async (signal) => {
      const tunnel = await route.open(signal)
      tunnel.destroy()
      return { value: undefined, found: `the proxy ${text} opened a tunnel` }
    },
  })
  return route
}

async function openOrFail (host: HostName, options: ProxiedPathOptions, signal: AbortSignal): Promise<Socket> {
  const { proxy } = options
  const target = `${host}:443`
  try {
    const tunnel = await openTunnel({ proxy: addressOf(options), target, signal })
    tunnel.on('error', () => {})
    return tunnel
  } catch (error) {
    signal.throwIfAborted()
    // A server of TLS hangs up on clear text, or answers what is not HTTP; whether it is one, it says when asked.
    const code = codeOf(error)
    const isStrange = code === 'ECONNRESET' || isNotHttp(code)
    const isTls = proxy.scheme === 'http' && isStrange && await speaksTls(options, signal)
    throw describeProxyFailure(error, { proxy, target, isTls })
  }
}

function addressOf ({ proxy, trust }: ProxiedPathOptions): ProxyAddress {
  const { scheme, host, port, credentials } = proxy
  return {
    host,
    port,
    ...scheme === 'https' ? { tls: trust } : {},
    ...credentials === undefined ? {} : { headers: { 'Proxy-Authorization': formatBasicAuthorization(credentials) } },
  }
}

async function speaksTls ({ proxy: { host, port }, trust }: ProxiedPathOptions, signal: AbortSignal): Promise<boolean> {
  try {
    const socket = await openConnection({ host, port, signal })
    const secure = await openSecureSocket({ socket, servername: '', trust, takesUntrusted: true, signal })
    secure.destroy()
    return true
  } catch (error) {
    signal.throwIfAborted()
    if (codeOf(error) === '') throw error
    return false
  }
}
