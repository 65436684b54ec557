import t from 'tap'
import { labNames, startLab } from '../../src/lab/lab.ts'
import { type PullResult, pullImage } from '../../src/lab/pull.ts'
import { ProxyRefusedError, type ProxyAddress } from '../../src/outbound/tunnel-client.ts'
import { startGateway } from '../support/gateway.ts'
import { labConfiguration } from '../support/lab-configuration.ts'
import { issueProxyCertificate, tlsKeys } from '../support/proxy-certificate.ts'

const { loginServer, dataEndpoint, region, repository, tag } = labNames
const layers = [5_000_000, 3_000_000, 700_000, 1]
const pulls = 3
// A version check, a token, a manifest, and a redirect and a blob for each layer and the configuration.
const blobs = layers.length + 1
const tunnelsOfPull = 3 + 2 * blobs

const lab = await startLab({ layers })
t.teardown(() => lab.close())
const certificate = await issueProxyCertificate()
const imageBytes = layers.reduce((sum, size) => sum + size, lab.image.config.size)

for (const scheme of ['http', 'https'] as const) {
  t.test(`three pulls at once through the gateway as an ${scheme} proxy are whole, and are counted`, async (t) => {
    const gateway = await startGateway(t, `${labConfiguration(lab, { listen: undefined })}
listen: { ${tlsKeys} }
relay: { engine: splice }
`, certificate.files)
    const proxy: ProxyAddress = { ...gateway.proxy, ...scheme === 'https' ? { tls: { ca: certificate.ca, servername: certificate.name } } : {} }
    const results = await Promise.all(Array.from({ length: pulls }, () => pull(proxy)))
    for (const { digest, bytes, layers: count } of results) {
      t.strictSame([digest, bytes, count], [lab.image.manifest.digest, imageBytes, layers.length])
    }
    await gateway.settle()
    const ended = gateway.tunnelLines.filter(({ event }) => event === 'tunnel_ended')
    t.equal(gateway.tunnelLines.length, pulls * tunnelsOfPull)
    t.equal(ended.length, pulls * tunnelsOfPull, 'every tunnel ended, none was refused')
    t.equal(ended.filter((line) => line.target === `${loginServer}:443` && line.class === 'login').length, pulls * (3 + blobs))
    t.equal(ended.filter((line) => line.target === `${dataEndpoint}:443` && line.region === region).length, pulls * blobs)
    t.equal(await gateway.readMetric('acr_egress_tunnels_total'), pulls * tunnelsOfPull)
    t.equal(await gateway.readMetric('acr_egress_connect_attempts_total', { outcome: 'connected' }), pulls * tunnelsOfPull)
    const fromUpstream = await gateway.readMetric('acr_egress_tunnel_bytes_total', { direction: 'from_upstream' })
    t.ok(fromUpstream > pulls * imageBytes, 'the images, and TLS around them')
    t.ok(fromUpstream < pulls * imageBytes * 1.05 + pulls * tunnelsOfPull * 10_000)
    const logged = ended.reduce((sum, line) => sum + Number(line.bytesFromUpstream), 0)
    t.equal(logged, fromUpstream, 'the log and the metrics agree')
  })
}

t.test('a pull from a registry that is not configured fails with the reason that a person is shown', async (t) => {
  const gateway = await startGateway(t, labConfiguration(lab))
  const error: unknown = await pull(gateway.proxy, 'fabrikam.azurecr.io').catch((error: unknown) => error)
  if (!(error instanceof ProxyRefusedError)) throw error
  t.equal(error.statusCode, 403)
  t.match(error.statusText, /^host_not_allowed: /)
})

function pull (proxy: ProxyAddress, registry: string = loginServer): Promise<PullResult> {
  return pullImage({ proxy, registry, repository, tag, ca: lab.ca })
}
