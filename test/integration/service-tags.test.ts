import { copyFile, readFile, rename, rm, symlink, utimes, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { startNameServer } from '../../src/lab/name-server.ts'
import { parseAnswer, writeConnect } from '../support/answer.ts'
import { type LogLine, type TestGateway, startGateway } from '../support/gateway.ts'
import { connectRaw } from '../support/raw-client.ts'
import { missingFiles, publishedFiles } from '../support/service-tag-files.ts'
import { writeTagFile } from '../support/service-tags.ts'
import { startEchoUpstream } from '../support/upstream.ts'
import { waitUntil } from '../support/wait-until.ts'

// Nothing public may be dialled here: targets within their tags are only explained, and tunnels are asked for to
// targets outside them, which are refused, and to loopback.

// Most of the time goes by between two looks at a file.
t.jobs = 4

const acr = 'AzureContainerRegistry'
const host = 'contoso.azurecr.io'
const kept = ['20.1.0.0/24', '20.1.1.0/24', '20.1.2.0/24']
const first = writeTagFile({ [acr]: [...kept, '20.1.3.0/24'], Storage: ['20.2.0.0/16'] }, 'Public', 100)
const second = writeTagFile({ [acr]: [...kept, '20.9.0.0/24'], Storage: ['20.2.0.0/16'] }, 'Public', 101)
const root = t.testdir({})
let folders = 0

interface TaggedGateway extends TestGateway {
  readonly folder: string
  /** The file of service tags, as the configuration names it. */
  readonly file: string
}

/** A gateway with a file of service tags, whose registry's name has these addresses. */
async function startTagged (t: Test, { addresses = ['20.1.3.4'], keys = '', more = '', text = first }: {
  addresses?: readonly string[], keys?: string, more?: string, text?: string,
} = {}): Promise<TaggedGateway> {
  const folder = join(root, String(folders++))
  const file = `${folder}.json`
  await writeFile(file, text)
  const names = await startNameServer({ answers: () => ({ addresses }) })
  t.teardown(() => names.close())
  const gateway = await startGateway(t, `
registries:
  - { loginServer: ${host}, regions: [eastus], privateEndpoints: [10.1.0.0/16] }
  - { loginServer: fabrikam.azurecr.io, regions: [eastus], privateEndpoints: [127.0.0.0/8] }
addresses: { serviceTagsFile: '${file}'${keys} }
dns: { servers: ['${names.address}:${names.port}']${more} }
tunnel: { serverName: off }
`)
  return { ...gateway, folder, file }
}

interface Explained {
  readonly allow: boolean
  readonly addresses: ReadonlyArray<{ readonly ground: string }>
}

async function explain ({ ask }: TestGateway): Promise<Explained> {
  return JSON.parse((await ask(`/api/explain?target=${host}`)).body)
}

async function listGrounds (gateway: TestGateway): Promise<string[]> {
  return (await explain(gateway)).addresses.map(({ ground }) => ground)
}

/** Waits for a line of the log, and gives it. */
async function waitForEvent ({ lines }: TestGateway, event: string): Promise<LogLine> {
  const find = (): LogLine | undefined => lines.find((line) => line.event === event)
  await waitUntil(() => find() !== undefined, event)
  return find() ?? { event: '' }
}

/** What /readyz says of the tags; it has to be ready. */
async function readDetail (t: Test, { ask }: TestGateway): Promise<string> {
  const { status, body } = await ask('/readyz')
  t.equal(status, 200)
  const { ready, checks } = JSON.parse(body) as {
    ready: boolean, checks: ReadonlyArray<{ name: string, ok: boolean, detail: string }>,
  }
  const check = checks.find(({ name }) => name === 'service tags')
  t.match({ ready, check }, { ready: true, check: { ok: true } })
  return check?.detail ?? ''
}

t.test('the tags of the file decide on what a name resolves to', async (t) => {
  const gateway = await startTagged(t, { addresses: ['20.1.3.4', '20.2.3.4', '10.1.2.3', '2603:1020::1'] })
  t.match(await explain(gateway), { allow: true })
  t.same((await listGrounds(gateway)).toSorted(), [
    `in ${acr} 20.1.3.0/24`,
    'in privateEndpoints 10.1.0.0/16',
    `the name resolves to 20.2.3.4, which is outside ${acr}`,
    `the name resolves to 2603:1020::1, which is outside ${acr}`,
  ])
  t.match(gateway.lines.find(({ event }) => event === 'service_tags_loaded'), {
    file: gateway.file, cloud: 'Public', changeNumber: 100, prefixes: { [acr]: 4, Storage: 1 },
  })
})

t.test('a tunnel to an address outside the tags is refused, and told of in the same words everywhere', async (t) => {
  const gateway = await startTagged(t, { addresses: ['20.9.0.4', '2603:1020::1'] })
  const client = await connectRaw(t, gateway.proxy)
  client.send(writeConnect(`${host}:443`))
  const { bytes } = await client.ended
  const reason = 'address_outside_service_tags'
  const refused = JSON.parse(parseAnswer(bytes).body) as { detail: string }
  t.match(refused, { status: 403, reason, detail: /^the name resolves to \S+, which is outside AzureContainerRegistry$/, hint: /acr-egress tags refresh/ })
  t.match(bytes.toString('latin1'), new RegExp(`^HTTP/1\\.1 403 ${reason}: the name resolves to .*\r\n`))
  t.match(await gateway.tunnelLine(0), { event: 'tunnel_refused', reason, detail: refused.detail })
  t.equal(await gateway.readMetric('acr_egress_refusals_total', { reason }), 1)
  t.match(await explain(gateway), { allow: false, refusal: { reason } })
})

t.test('in report mode, and in mode off, the same addresses would be dialled', async (t) => {
  const outside = `the name resolves to 20.9.0.4, which is outside ${acr}`
  const reporting = await startTagged(t, { addresses: ['20.9.0.4'], keys: ', mode: report' })
  t.match(await explain(reporting), { allow: true, addresses: [{ ground: `service tags are only reported on, but ${outside}` }] })
  const off = await startTagged(t, { addresses: ['20.9.0.4'], keys: ', mode: off' })
  t.match(await explain(off), { allow: true, addresses: [{ ground: 'public address' }] })
  t.match(await readDetail(t, off), /^addresses\.mode is off: addresses are only checked not to be private\.$/)
  t.equal(await off.readMetric('acr_egress_service_tags_prefixes'), 0)
})

t.test('a new file decides from when it is seen, and an open tunnel goes on', { buffered: true }, async (t) => {
  const upstream = await startEchoUpstream(t)
  const gateway = await startTagged(t, { more: `, hosts: { fabrikam.azurecr.io: ['127.0.0.1:${upstream.port}'] }` })
  const client = await connectRaw(t, gateway.proxy)
  client.send(writeConnect('fabrikam.azurecr.io:443'))
  t.match(await client.receiveHead(), /^HTTP\/1\.1 200 /)
  t.same(await listGrounds(gateway), [`in ${acr} 20.1.3.0/24`])

  await writeFile(gateway.file, second)
  t.match(await waitForEvent(gateway, 'service_tags_updated'), {
    file: gateway.file,
    changeNumber: 101,
    prefixes: { [acr]: 4, Storage: 1 },
    changes: { [acr]: { added: ['20.9.0.0/24'], removed: ['20.1.3.0/24'] } },
  })
  t.match(await explain(gateway), { allow: false, refusal: { reason: 'address_outside_service_tags' } })
  const late = await connectRaw(t, gateway.proxy)
  late.send(writeConnect(`${host}:443`))
  t.match((await late.ended).bytes.toString(), /^HTTP\/1\.1 403 address_outside_service_tags/)
  client.send('still here')
  t.equal(String(await client.receive(10)), 'still here')

  t.equal(await gateway.readMetric('acr_egress_service_tags_updates_total', { result: 'applied' }), 1)
  t.equal(await gateway.readMetric('acr_egress_service_tags_change_number', { tag: acr }), 9)
  t.equal(await gateway.readMetric('acr_egress_service_tags_prefixes', { tag: acr }), 4)
  t.equal(await gateway.readMetric('acr_egress_service_tags_prefixes', { tag: 'Storage' }), 1)
})

t.test('a file swapped as Kubernetes does it is taken', { buffered: true }, async (t) => {
  const gateway = await startTagged(t)
  const { file, folder } = gateway
  await rename(file, `${folder}-first`)
  await writeFile(`${folder}-second`, second)
  await symlink(`${folder}-first`, file)
  await symlink(`${folder}-second`, `${file}_tmp`)
  await rename(`${file}_tmp`, file)
  await waitForEvent(gateway, 'service_tags_updated')
  t.match(await explain(gateway), { allow: false })
})

/** Each is what may become of the file, and what is told of it. */
const mishaps: Record<string, {
  readonly happen: (file: string) => Promise<void>
  readonly result: 'refused' | 'missing'
  readonly problem: RegExp
}> = {
  'a file that was cut': {
    happen: (file) => writeFile(file, second.slice(0, second.length / 2)),
    result: 'refused',
    problem: /^is not JSON, or only a part of it; fetch it with acr-egress tags refresh/,
  },
  'a file of another cloud, renamed over': {
    async happen (file) {
      await writeFile(`${file}.new`, second.replace('"Public"', '"China"'))
      await rename(`${file}.new`, file)
    },
    result: 'refused',
    problem: /^is for the cloud China, and the registries are in Public; fetch/,
  },
  'a file that has lost half': {
    happen: (file) => writeFile(file, writeTagFile({ [acr]: kept.slice(0, 2), Storage: ['20.2.0.0/16'] })),
    result: 'refused',
    problem: /^takes away 2 of the 4 prefixes of AzureContainerRegistry; if that is right, restart the gateway/,
  },
  'a link to nowhere': {
    async happen (file) {
      await symlink('nowhere', `${file}_tmp`)
      await rename(`${file}_tmp`, file)
    },
    result: 'missing',
    problem: /^does not exist; see that the path is right/,
  },
  'a file that was deleted': { happen: (file) => rm(file), result: 'missing', problem: /^does not exist; see/ },
}
for (const [name, { happen, result, problem }] of Object.entries(mishaps)) {
  t.test(`${name} leaves the old tags in force, is told of, and is made good by the next file`, { buffered: true }, async (t) => {
    const gateway = await startTagged(t)
    const { file } = gateway
    await happen(file)
    t.match(await waitForEvent(gateway, `service_tags_${result}`), { level: 'error', file, problem })
    t.same(await listGrounds(gateway), [`in ${acr} 20.1.3.0/24`])
    const detail = await readDetail(t, gateway)
    t.match(detail, new RegExp(` The file as it is now was not taken: it ${problem.source.slice(1)}`))
    t.equal(await gateway.readMetric('acr_egress_service_tags_updates_total', { result }), 1)

    await rm(file, { force: true })
    await writeFile(file, second)
    await waitForEvent(gateway, 'service_tags_updated')
    t.match(await explain(gateway), { allow: false })
    t.notMatch(await readDetail(t, gateway), /was not taken/)
  })
}

t.test('/readyz and the metrics tell the age of the file, and hold nobody up for it', { buffered: true }, async (t) => {
  const gateway = await startTagged(t)
  const day = 86_400_000
  t.match(await readDetail(t, gateway), /^Of \d{4}-\d\d-\d\d, 0 days old\.$/)
  const old = new Date(Date.now() - 20.5 * day)
  await utimes(gateway.file, old, old)
  await waitForEvent(gateway, 'service_tags_updated')
  t.equal(await readDetail(t, gateway),
    `Of ${old.toISOString().slice(0, 10)}, 20 days old. That is more than addresses.maxAge: run acr-egress tags refresh.`)
  const age = await gateway.readMetric('acr_egress_service_tags_age_seconds')
  t.ok(Math.abs(age - 20.5 * day / 1000) < 60, `${age} seconds`)
})

t.test('without a file nothing is told of tags but that there is none', async (t) => {
  const gateway = await startGateway(t, `
registries: [{ loginServer: ${host}, regions: [eastus] }]
dns: { hosts: { ${host}: [20.1.3.4] } }
`)
  t.match(await readDetail(t, gateway), /^There is no addresses\.serviceTagsFile: addresses are only checked/)
  t.same(await listGrounds(gateway), ['public address'])
  t.notMatch((await gateway.ask('/metrics')).body, /^acr_egress_service_tags_(?:age|prefixes|change)\S* \d/m)
  t.notOk(gateway.lines.some(({ event }) => event.startsWith('service_tags_')))
})

t.test('a published week is taken while the gateway runs', { skip: missingFiles, buffered: true }, async (t) => {
  const gateway = await startTagged(t, {
    addresses: ['13.69.64.88'], text: await readFile(publishedFiles.public20250714, 'utf8'),
  })
  t.match(await listGrounds(gateway), [/^in AzureContainerRegistry 13\.69\./])
  t.equal(await gateway.readMetric('acr_egress_service_tags_prefixes', { tag: acr }), 1128)
  await copyFile(publishedFiles.public20250721, gateway.file)
  const { changes } = await waitForEvent(gateway, 'service_tags_updated') as unknown as {
    changes: Readonly<Record<string, { added: readonly string[], removed: readonly string[] }>>,
  }
  t.same([changes[acr]?.added.length, changes[acr]?.removed.length], [8, 4])
  t.equal(await gateway.readMetric('acr_egress_service_tags_prefixes', { tag: acr }), 1132)
  t.match(await listGrounds(gateway), [/^in AzureContainerRegistry 13\.69\./])
})
