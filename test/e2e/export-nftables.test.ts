import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { renderNftables } from '../../src/export/nftables.ts'
import { listTagNames } from '../../src/export/addresses.ts'
import type { ExportSources } from '../../src/export/sources.ts'
import { describeMissing } from '../support/debian-parts.ts'
import { contoso, exportSources } from '../support/export-sources.ts'
import { runInNamespace } from '../support/network-namespace.ts'
import { missingFiles, publishedFiles } from '../support/service-tag-files.ts'
import { readPublished } from '../support/service-tags.ts'

const skip = describeMissing(['nft', 'unshare', 'ip'])

const tags = {
  AzureContainerRegistry: ['20.1.0.0/24', '20.1.1.0/24', '2603:1030::/48'],
  Storage: ['20.2.0.0/16', '20.2.3.0/24'],
}

interface Files {
  readonly rules: string
  readonly hooks: string
}

/** The files for these sources, and what a person makes of the lines at the end to switch the chains on. */
async function writeFiles (t: Test, sources: ExportSources, name = 'export'): Promise<Files> {
  const folder = join(t.testdirName, name)
  await mkdir(folder, { recursive: true })
  const text = renderNftables(sources)
  const [, tail = ''] = text.split('NOTHING IS FILTERED YET')
  const lines = [...tail.matchAll(/^# {5}(.*)$/gm)].map(([, line = '']) => line.replace(/^( *)#reject/, '$1reject'))
  const files = { rules: join(folder, 'rules.nft'), hooks: join(folder, 'hooks.nft') }
  await writeFile(files.rules, text)
  await writeFile(files.hooks, `${lines.join('\n')}\n`)
  return files
}

t.test('nft takes the file and hooks nothing, and holds the addresses that were meant', { skip }, async (t) => {
  t.testdir({})
  const registries = [{ ...contoso, privateEndpoints: ['10.1.2.0/24'] }]
  const { rules } = await writeFiles(t, exportSources({ registries, tags, nameServers: ['10.0.0.53', 'fd00::53 5353'] }))
  const asked = [
    ['https_ipv4', '20.1.1.255', true], ['https_ipv4', '20.2.255.1', true], ['https_ipv4', '10.1.2.4', true],
    ['https_ipv6', '2603:1030::7', true], ['https_ipv4', '20.1.2.0', false], ['https_ipv4', '20.3.0.0', false],
    ['https_ipv4', '10.1.3.4', false], ['https_ipv6', '2603:1031::7', false], ['clients_ipv4', '10.200.0.1', true],
    ['clients_ipv4', '192.168.0.1', false],
  ] as const
  const { code, stdout, stderr } = runInNamespace([
    `nft -c -f ${rules}`,
    `nft -f ${rules}`,
    ...asked.map(([set, address]) => {
      return `if nft get element inet acr_egress ${set} '{ ${address} }' >/dev/null 2>&1; then echo in; else echo out; fi`
    }),
    'nft list ruleset | grep -c "type filter hook" || true',
  ].join('\n'))
  t.equal(code, 0, stderr)
  const answers = stdout.trim().split('\n')
  t.same(answers.slice(0, -1), asked.map(([, , isIn]) => isIn ? 'in' : 'out'))
  t.equal(answers.at(-1), '0', 'no chain is hooked in')
})

t.test('loaded again with other tags it replaces its own, and leaves the hooks', { skip }, async (t) => {
  t.testdir({})
  const first = await writeFiles(t, exportSources({ tags }), 'first')
  const second = await writeFiles(t, exportSources({ tags: { ...tags, Storage: ['20.0.0.0/8'] } }), 'second')
  // Back to the first: what was wide is narrow again.
  const { code, stdout, stderr } = runInNamespace(`
    nft -f ${first.rules}
    nft -f ${first.hooks}
    nft -f ${first.hooks}
    nft -f ${second.rules}
    nft get element inet acr_egress https_ipv4 '{ 20.9.9.9 }' >/dev/null
    nft -f ${first.rules}
    if nft get element inet acr_egress https_ipv4 '{ 20.9.9.9 }' >/dev/null 2>&1; then echo still open; fi
    nft list table inet acr_egress`)
  t.equal(code, 0, stderr)
  t.notMatch(stdout, 'still open')
  for (const line of ['jump allowed_output', 'jump allowed_forward', 'tcp dport 443']) {
    t.equal(stdout.split(line).length - 1, line.startsWith('jump') ? 1 : 2, line)
  }
})

/** Listens at each port, and says so in the file; the caller ends it. */
const listen = `
const { once } = require('node:events')
const [file, ...ports] = process.argv.slice(1)
const servers = ports.map((port) => require('node:net').createServer((socket) => socket.destroy()).listen(port, '::'))
Promise.all(servers.map((server) => once(server, 'listening'))).then(() => require('node:fs').writeFileSync(file, 'ready'))
`

/** Connects to each target, and prints which of them it has reached. */
const reach = `
const { connect } = require('node:net')
const outcomes = process.argv.slice(1).map((target) => new Promise((resolve) => {
  const [host, port, localAddress] = target.split(',')
  const socket = connect({ host, port, ...localAddress ? { localAddress } : {} })
  socket.on('connect', () => resolve([target, 'reached'])).on('error', (error) => resolve([target, error.syscall + ' failed']))
}))
Promise.all(outcomes).then((entries) => console.log(JSON.stringify(Object.fromEntries(entries))))
`

/** Two clients inside, a router, and the registry outside among others. */
const network = `
  mount -t tmpfs none /run
  ip netns add far
  ip netns add near
  ip link add outside type veth peer name eth0 netns far
  ip link add inside type veth peer name eth0 netns near
  for device in lo outside inside; do ip link set $device up; done
  ip address add 20.9.0.1/8 dev outside
  ip address add 2603::1/16 dev outside nodad
  ip address add 10.0.0.1/24 dev inside
  echo 1 >/proc/sys/net/ipv4/ip_forward
  ip netns exec far sh -ec '
    ip link set lo up; ip link set eth0 up
    for address in 20.1.1.4 20.9.9.9 20.200.0.53 20.200.0.54; do ip address add $address/8 dev eth0; done
    for address in 2603:1030::4 2603:1031::4; do ip address add $address/16 dev eth0 nodad; done
    ip route add default via 20.9.0.1'
  ip netns exec near sh -ec '
    ip link set lo up; ip link set eth0 up
    ip address add 10.0.0.2/24 dev eth0; ip address add 10.0.0.3/24 dev eth0
    ip route add default via 10.0.0.1'
  mkfifo /run/ready`

t.test('with the hooks in, a router and its clients reach the registry, and nothing else', { skip }, async (t) => {
  t.testdir({})
  const { rules, hooks } = await writeFiles(t, exportSources({ tags, clients: ['10.0.0.2'], nameServers: ['20.200.0.53'] }))
  const own = {
    '20.1.1.4,443': true,
    '2603:1030::4,443': true,
    '20.200.0.53,53': true,
    '20.1.1.4,80': false,
    '20.9.9.9,443': false,
    '2603:1031::4,443': false,
    '20.200.0.54,53': false,
  }
  const clients = {
    '20.1.1.4,443,10.0.0.2': true,
    '20.200.0.53,53,10.0.0.2': true,
    '20.1.1.4,80,10.0.0.2': false,
    '20.9.9.9,443,10.0.0.2': false,
    '20.1.1.4,443,10.0.0.3': false,
  }
  await writeFile(`${rules}.listen.cjs`, listen)
  await writeFile(`${rules}.reach.cjs`, reach)
  const node = (script: string): string => `env -u NODE_OPTIONS ${process.execPath} -e "$(cat ${rules}.${script}.cjs)"`
  const ask = `
    ${node('reach')} ${Object.keys(own).join(' ')}
    ip netns exec near ${node('reach')} ${Object.keys(clients).join(' ')}`
  const { code, stdout, stderr } = runInNamespace(`${network}
    ip netns exec far ${node('listen')} /run/ready 443 80 53 &
    trap "kill $!" EXIT
    read answer </run/ready || test "$answer" = ready
    ${ask}
    nft -f ${rules}
    nft -f ${hooks}
    ${ask}`)
  t.equal(code, 0, stderr)
  const [ownBefore, clientsBefore, ownAfter, clientsAfter] = stdout.trim().split('\n').map((line) => JSON.parse(line) as object)
  const outcomeOf = (targets: Readonly<Record<string, boolean>>, isOpen: boolean) => Object.fromEntries(
    Object.entries(targets).map(([target, isAllowed]) => [target, isOpen || isAllowed ? 'reached' : 'connect failed']))
  t.same([ownBefore, clientsBefore], [outcomeOf(own, true), outcomeOf(clients, true)], 'without them everything is reached')
  t.same([ownAfter, clientsAfter], [outcomeOf(own, false), outcomeOf(clients, false)])
})

t.test('nft takes the tags of published files, whole', { skip: skip === false ? missingFiles : skip }, async (t) => {
  t.testdir({})
  for (const [file, loginServer, region] of [
    [publishedFiles.public20250714, 'contoso.azurecr.io', 'westeurope'],
    [publishedFiles.public20251028, 'contoso.azurecr.io', 'eastus'],
    [publishedFiles.government20260720, 'contoso.azurecr.us', 'usgovvirginia'],
  ] as const) {
    const serviceTags = readPublished(file)
    for (const tagScope of ['global', 'regional'] as const) {
      const written = exportSources({ registries: [{ loginServer, regions: [region], storage: 'any' }], tagScope })
      const sources = { ...written, tags: { file, day: '2025-10-28', serviceTags } }
      const { rules } = await writeFiles(t, sources)
      const blocks = listTagNames(sources.rules).flatMap((name) => serviceTags.find(name)?.blocks.blocks ?? [])
      t.ok(blocks.length > 20, `${blocks.length} blocks`)
      const asked = [blocks[0], blocks[blocks.length >> 1], blocks.at(-1)].flatMap((block) => block?.first ?? [])
      const { code, stderr } = runInNamespace([
        `nft -c -f ${rules}`,
        `nft -f ${rules}`,
        ...asked.map(({ family, text }) => `nft get element inet acr_egress https_ipv${family} '{ ${text} }' >/dev/null`),
        'if nft get element inet acr_egress https_ipv4 \'{ 8.8.8.8 }\' >/dev/null 2>&1; then exit 9; fi',
      ].join('\n'))
      t.equal(code, 0, `${loginServer}, ${tagScope}: ${stderr}`)
    }
  }
})
