import { Resolver } from 'node:dns/promises'
import t from 'tap'
import { labNames, startLab } from '../../../src/lab/lab.ts'

t.test('a lab has a name server that knows its registry, and one hostile name', async t => {
  const lab = await startLab({ layers: [1000] })
  t.teardown(async () => await lab.close())
  const resolver = new Resolver()
  resolver.setServers([`${lab.nameServer.address}:${lab.nameServer.port}`])
  t.strictSame(await resolver.resolve4(labNames.loginServer), ['127.0.0.1'])
  t.strictSame(await resolver.resolve4(labNames.dataEndpoint), ['127.0.0.1'])
  t.strictSame(await resolver.resolve4(labNames.hostileServer), ['169.254.169.254'])
  await t.rejects(resolver.resolve4('evil.example'), { code: 'ENOTFOUND' })
})

t.test('a lab says where each name of its registry is served', async t => {
  const lab = await startLab({ layers: [1000, 2000] })
  t.teardown(async () => await lab.close())
  t.strictSame(lab.hosts, {
    [labNames.loginServer]: [`127.0.0.1:${lab.registry.login.port}`],
    [labNames.dataEndpoint]: [`127.0.0.1:${lab.registry.data.port}`],
  })
  t.equal(lab.image.layers.length, 2)
  t.equal(lab.ca, lab.authority.certificatePem)
})
