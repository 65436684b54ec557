import { createServer } from 'node:net'
import t from 'tap'
import { labNames } from '../../../src/lab/lab.ts'
import { listenOnLoopback } from '../../../src/lab/loopback.ts'
import { expectNoSecrets, expectOneFailure, image, smallImage, startWorld } from '../../support/doctor-world.ts'
import { startFullListener } from '../../support/full-listener.ts'
import { writeTagFile } from '../../support/service-tags.ts'

const { loginServer, dataEndpoint } = labNames

/** The registries of the configuration, with what a test needs else of them. */
function registriesWith (more: object): object {
  return { registries: [{ loginServer, regions: ['eastus'], ...more }] }
}

t.test('a good pull passes every step, from the name to the first bytes of a layer', async (t) => {
  const world = await startWorld(t)
  const steps = await world.diagnose()
  t.same(steps.map(({ step, host, status }) => [step, host, status]), [
    ...['name', 'address', 'tcp', 'tls', 'challenge', 'token', 'manifest', 'link'].map((step) => [step, loginServer, 'passed']),
    ...['name', 'address', 'tcp', 'tls', 'layer'].map((step) => [step, dataEndpoint, 'passed']),
  ])
  t.match(steps.map(({ found }) => found), [
    /^127\.0\.0\.1:\d+$/, /^127\.0\.0\.1 in privateEndpoints 127\.0\.0\.0\/8$/, /^connected to 127\.0\.0\.1:\d+$/,
    /^TLSv1\.3, issued by Look-alike TLS Issuing CA 01 \(Microsoft Corporation\), valid until \d{4}-\d\d-\d\d$/,
    `GET /v2/ sends for a token to https://${loginServer}/oauth2/token`, 'a token for anonymous pull',
    '2 layers, 3070000 bytes', `the layer is at ${dataEndpoint}`,
    /./, /./, /./, /./, /^1048576 of 3000000 bytes in \d+ ms$/,
  ])
  t.ok(steps.every(({ ms, registry }) => ms >= 0 && registry === loginServer))
  t.match(world.registry.requests, { challenges: 1, tokens: 1, manifests: 1, redirects: 1, blobs: 1 })
  expectNoSecrets(t, steps)
})

t.test('a layer that is fetched whole is compared with its digest', async (t) => {
  const world = await startWorld(t, { image: smallImage })
  const steps = await world.diagnose()
  t.match(steps.at(-1), { step: 'layer', status: 'passed', found: /^50000 of 50000 bytes in \d+ ms, digest right$/ })
})

t.test('an image by its digest is fetched by it', async (t) => {
  const world = await startWorld(t)
  const steps = await world.diagnose({ image: { repository: labNames.repository, reference: image.manifest.digest } })
  t.same(steps.filter(({ status }) => status !== 'passed'), [])
})

t.test('without an image the walk ends at the challenge, and the data endpoints are looked up', async (t) => {
  const world = await startWorld(t)
  const steps = await world.diagnose({ image: undefined })
  t.same(steps.map(({ step, host, status }) => [step, host, status]), [
    ...['name', 'address', 'tcp', 'tls', 'challenge'].map((step) => [step, loginServer, 'passed']),
    ['endpoint', dataEndpoint, 'passed'],
  ])
})

t.test('a name that is not there fails at name, and its endpoints are not asked for', async (t) => {
  const world = await startWorld(t, { hosts: { [loginServer]: null } })
  const steps = await world.diagnose()
  expectOneFailure(t, steps, {
    step: 'name', found: /^dns_failed: there is no such name as contoso\.azurecr\.io$/, toDo: /Check the registry's name/, reason: 'dns_failed',
  })
  t.match(steps.at(-1), { step: 'endpoint', status: 'skipped' })
})

t.test('name servers that say nothing fail at name, within its time', async (t) => {
  const world = await startWorld(t, { hosts: { [loginServer]: null }, answers: () => ({ silent: true }) })
  const steps = await world.diagnose({ stepTimeoutMs: 100 })
  expectOneFailure(t, steps, {
    step: 'name', found: /^dns_timeout: the name servers did not answer for contoso\.azurecr\.io within 0\.1 s$/, toDo: /Look at the name servers/, reason: 'dns_timeout',
  })
})

t.test('a special-purpose address fails at address, and is never dialled', async (t) => {
  const world = await startWorld(t, { hosts: { [loginServer]: null }, answers: () => ({ addresses: ['169.254.169.254'] }) })
  expectOneFailure(t, await world.diagnose(), {
    step: 'address', found: /^address_prohibited: the name resolves to 169\.254\.169\.254, link-local/, toDo: /DNS questions/, reason: 'address_prohibited',
  })
})

t.test('an address outside the service tags fails at address, and is never dialled', async (t) => {
  const world = await startWorld(t, {
    hosts: { [loginServer]: null },
    answers: () => ({ addresses: ['20.9.0.4'] }),
    settings: { ...registriesWith({ privateEndpoints: ['127.0.0.0/8'] }), addresses: { serviceTagsFile: 'tags.json' } },
    files: { 'tags.json': writeTagFile({ AzureContainerRegistry: ['20.1.0.0/24'], Storage: ['20.2.0.0/16'] }) },
  })
  expectOneFailure(t, await world.diagnose(), {
    step: 'address',
    found: /^address_outside_service_tags: the name resolves to 20\.9\.0\.4, which is outside AzureContainerRegistry$/,
    toDo: /acr-egress tags refresh/,
    reason: 'address_outside_service_tags',
  })
})

t.test('of several addresses one that is denied is a warning, and one that does not answer too', async (t) => {
  const closed = await listenOnLoopback(createServer())
  await closed.close()
  const world = await startWorld(t)
  const [good] = world.lab.hosts[loginServer] ?? []
  const settings = {
    dns: {
      servers: [`127.0.0.1:${world.lab.nameServer.port}`],
      hosts: { ...world.lab.hosts, [loginServer]: [`127.0.0.1:${closed.port}`, good, '169.254.169.254:443'] },
    },
  }
  const steps = await (await startWorld(t, { settings })).diagnose()
  const find = (name: string): unknown => steps.find(({ step, host }) => step === name && host === loginServer)
  t.match(find('address'), { status: 'warned', found: /^127.*but address_prohibited: /, toDo: /^The gateway does not dial that one\. / })
  t.match(find('tcp'), { status: 'warned', found: /^connected to \S+, but not to 127\.0\.0\.1:\d+ \(ECONNREFUSED\)$/, toDo: /firewall/ })
  t.match(steps.at(-1), { step: 'layer', status: 'passed' })
})

t.test('a closed port fails at tcp', async (t) => {
  const closed = await listenOnLoopback(createServer())
  await closed.close()
  const world = await startWorld(t, { hosts: { [loginServer]: `127.0.0.1:${closed.port}` } })
  expectOneFailure(t, await world.diagnose(), {
    step: 'tcp', found: /^connect_refused: 127\.0\.0\.1:\d+ refused the connection$/, toDo: /firewall .* refuses port 443/, reason: 'connect_refused',
  })
})

t.test('a port that drops what knocks fails at tcp, within its time', async (t) => {
  const { port } = await startFullListener(t)
  const world = await startWorld(t, { hosts: { [loginServer]: `127.0.0.1:${port}` } })
  expectOneFailure(t, await world.diagnose({ stepTimeoutMs: 200 }), {
    step: 'tcp', found: /^connect_timeout: no connection to 127\.0\.0\.1:\d+ within 0\.2 s$/, toDo: /drops port 443/, reason: 'connect_timeout',
  })
})

t.test('a layer host that is closed fails at its tcp, and not at the registry', async (t) => {
  const closed = await listenOnLoopback(createServer())
  await closed.close()
  const world = await startWorld(t, { hosts: { [dataEndpoint]: `127.0.0.1:${closed.port}` } })
  expectOneFailure(t, await world.diagnose(), {
    step: 'tcp', host: dataEndpoint, found: /^connect_refused: /, toDo: new RegExp(`have ${dataEndpoint} let through`),
  })
})

t.test('a region whose data endpoint is not there is a warning, and one at a wrong address a failure', async (t) => {
  const world = await startWorld(t, {
    settings: registriesWith({ regions: ['eastus', 'westus', 'westeurope'], privateEndpoints: ['127.0.0.0/8'] }),
    answers: (name) => name.includes('westus') ? { rcode: 'NXDOMAIN' } : { addresses: ['10.0.0.4'] },
  })
  const endpoints = (await world.diagnose()).filter(({ step }) => step === 'endpoint')
  t.match(endpoints, [
    { host: 'contoso.westus.data.azurecr.io', status: 'warned', found: /^dns_failed: /, toDo: /^If westus has no replica .* change registries\[0\]\.regions; / },
    { host: 'contoso.westeurope.data.azurecr.io', status: 'failed', found: /^address_prohibited: /, toDo: /privateEndpoints/ },
  ])
  t.equal(endpoints.length, 2, 'the one that the link led to is not looked at twice')
})

t.test('every registry is walked to, also behind one that fails', async (t) => {
  const world = await startWorld(t, {
    settings: {
      registries: [{ loginServer: 'fabrikam.azurecr.io', regions: ['eastus'] }, { loginServer, regions: ['eastus'], privateEndpoints: ['127.0.0.0/8'] }],
    },
  })
  const steps = await world.diagnose({ image: undefined })
  t.match(steps[0], { registry: 'fabrikam.azurecr.io', step: 'name', status: 'failed' })
  t.match(steps.find(({ step, status }) => step === 'challenge' && status === 'passed'), { registry: loginServer })
})

t.test('a walk that is stopped ends in the step that it is at', async (t) => {
  const world = await startWorld(t, { fault: ({ kind, reply }) => kind === 'manifests' ? undefined : { kind, reply } })
  const stop = new AbortController()
  const steps = await world.diagnose({
    stop: stop.signal,
    onStart: ({ step }) => { if (step === 'manifest') setImmediate(() => stop.abort()) },
  })
  t.match(steps.at(-1), { step: 'manifest', status: 'skipped', found: 'interrupted' })
  t.equal(steps.filter(({ status }) => status === 'passed').length, 6)
})
