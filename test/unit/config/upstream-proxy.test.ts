import { chmod, writeFile } from 'node:fs/promises'
import { networkInterfaces } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { stringify } from 'yaml'
import { describeConfiguration } from '../../../src/config/effective.ts'
import { type LoadResult, loadConfiguration } from '../../../src/config/load.ts'
import { formatProblem } from '../../../src/config/problem.ts'
import { issueAuthority } from '../../../src/tls/certificates.ts'
import { writeTagFile } from '../../support/service-tags.ts'

const authority = await issueAuthority({ commonName: 'test', validDays: 1, now: new Date() })
const folder = t.testdir({
  word: 'xyzzy: ü\n',
  crlf: 'xyzzy\r\n',
  open: 'xyzzy\n',
  empty: '\n',
  lines: 'xyzzy\nxyzzy\n',
  control: 'xyz\u0007zy\n',
  'ca.crt': authority.certificatePem,
  'key.pem': authority.keyPem,
  'tags.json': writeTagFile({ AzureContainerRegistry: ['20.1.0.0/24'], Storage: ['20.2.0.0/16'] }),
})
for (const name of ['word', 'crlf', 'empty', 'lines', 'control']) await chmod(join(folder, name), 0o640)
await chmod(join(folder, 'open'), 0o644)
const file = join(folder, 'config.yaml')
const contoso = 'registries: [{loginServer: contoso.azurecr.io, regions: [eastus]}]\n'

async function load (text: string): Promise<LoadResult> {
  await writeFile(file, text)
  return await loadConfiguration({ file })
}

/** The lines of a configuration's problems, or of its warnings when it has none, without the file's name. */
async function listLines (text: string): Promise<string[]> {
  const result = await load(text)
  const found = result.ok ? result.warnings : result.problems
  t.notMatch(JSON.stringify(found), /xyz/, 'nothing of a password is told')
  return found.map((problem) => formatProblem(problem).replace(`${file}:`, ''))
}

async function proxyOf (text: string) {
  const result = await load(contoso + text)
  if (!result.ok) throw new Error(result.problems.map(formatProblem).join('\n'))
  return result.configuration.upstreamProxy
}

t.test('without the key the way is direct', async (t) => {
  t.equal(await proxyOf(''), undefined)
})

t.test('a proxy is its URL, and resolves unless told', async (t) => {
  t.same(await proxyOf('upstreamProxy: {url: \'HTTP://Proxy.Corp.Example.:3128\'}'), {
    url: { scheme: 'http', host: 'proxy.corp.example', port: 3128 }, authorities: [], resolve: 'parent',
  })
  t.match(await proxyOf('upstreamProxy: {url: \'http://[FD00::3]:3128\', resolve: gateway}'), { url: { host: 'fd00::3' }, resolve: 'gateway' })
})

t.test('the password comes from its file, without the newline at its end', async (t) => {
  for (const [name, password] of [['word', 'xyzzy: ü'], ['crlf', 'xyzzy']] as const) {
    t.match(await proxyOf(`upstreamProxy: {url: 'http://corp%5Cgate@proxy.example:3128', passwordFile: ${name}}`), {
      url: { credentials: { user: 'corp\\gate', password } }, passwordFile: join(folder, name),
    })
  }
})

t.test('an https:// proxy is trusted by its own authority, or by those of the system', async (t) => {
  const own = await proxyOf('upstreamProxy: {url: \'https://proxy.example:443\', caFile: ca.crt}')
  t.match(own, { caFile: join(folder, 'ca.crt'), authorities: [authority.certificatePem.trim()] })
  t.equal(own?.authorities.length, 1)
  t.ok(Number((await proxyOf('upstreamProxy: {url: \'https://proxy.example:443\'}'))?.authorities.length) > 10)
})

t.test('the effective configuration has the user and the path of the password, and makes the same again', async (t) => {
  const text = `${contoso}upstreamProxy: {url: 'https://gate@proxy.example:443', passwordFile: word, caFile: ca.crt, resolve: gateway}\n`
  const result = await load(text)
  if (!result.ok) throw new Error(result.problems.map(formatProblem).join('\n'))
  const described = describeConfiguration(result.configuration)
  t.same(described['upstreamProxy'], {
    url: 'https://gate@proxy.example:443', passwordFile: join(folder, 'word'), caFile: join(folder, 'ca.crt'), resolve: 'gateway',
  })
  t.notMatch(JSON.stringify(described), /xyzzy/)
  const again = await load(stringify(described))
  t.same(again.ok && again.configuration, result.configuration)
})

t.test('each mistake is named at its place, with what to write, and never with the URL', async (t) => {
  const table: ReadonlyArray<readonly [text: string, ...lines: readonly string[]]> = [
    ['upstreamProxy: http://gate:xyzzy@proxy.example:3128', '2:16: upstreamProxy: expected a map; write url: http://proxy.example:3128 below it, indented'],
    ['upstreamProxy: {}', '2:16: upstreamProxy.url: is missing; write url: http://proxy.example:3128'],
    ['upstreamProxy: {url: 3128}', '2:22: upstreamProxy.url: expected the URL of a proxy, found the number 3128; write url: http://proxy.example:3128'],
    ['upstreamProxy: {url: proxy.example:3128}', '2:22: upstreamProxy.url: it has no scheme; write it like http://proxy.example:3128'],
    ['upstreamProxy: {url: \'socks5://proxy.example:1080\'}', '2:22: upstreamProxy.url: socks5:// is no scheme of an HTTP proxy; write http:// or https://'],
    ['upstreamProxy: {url: \'http://proxy.example\'}', '2:22: upstreamProxy.url: it has no port; write its port behind the host, like proxy.example:3128'],
    ['upstreamProxy: {url: \'http://proxy.example:3128/\'}', '2:22: upstreamProxy.url: it goes on behind the port'],
    ['upstreamProxy: {url: \'http://gate:xyzzy@proxy.example:3128\'}', '2:22: upstreamProxy.url: there is a password in the URL; write the user alone into it'],
    ['upstreamProxy: {url: \'http://gate:@proxy.example:3128\'}', '2:22: upstreamProxy.url: there is a password in the URL'],
    ['upstreamProxy: {url: \'http://gate:xyz@zy@proxy.example:3128\'}', '2:22: upstreamProxy.url: its user name or password has characters that must be percent-encoded (RFC 3986); write the user alone'],
    [`upstreamProxy: {url: 'http://gate:xyzzy${'y'.repeat(600)}@proxy.example:3128'}`, '2:22: upstreamProxy.url: the text is too long'],
    ['upstreamProxy: {url: \'http://gate@proxy.example:3128\', password: xyzzy}', '2:56: upstreamProxy.password: no such key; write one of url, passwordFile'],
    ['upstreamProxy: {url: \'http://proxy.example:3128\', resolve: dns}', '2:60: upstreamProxy.resolve: expected one of parent, gateway, found the text "dns"'],
    ['upstreamProxy: {url: \'http://proxy.example:3128\', passwordFile: word}', '2:65: upstreamProxy.passwordFile: is for nobody: there is no user; write the user into url'],
    ...[
      ['open', 'may be read by others; write chmod 600 '], ['empty', 'is empty; write the password into it'], ['lines', 'has several lines'],
      ['none', 'does not exist'],
    ].map(([name = '', what]) => [
      `upstreamProxy: {url: 'http://gate@proxy.example:3128', passwordFile: ${name}}`,
      `2:70: upstreamProxy.passwordFile: ${join(folder, name)} ${what}`,
    ] as const),
    ['upstreamProxy: {url: \'http://gate@proxy.example:3128\', passwordFile: control}', `2:70: upstreamProxy.passwordFile: ${join(folder, 'control')}: the name or the password has a control character`],
    ['upstreamProxy: {url: \'https://proxy.example:443\', caFile: key.pem}', `2:59: upstreamProxy.caFile: ${join(folder, 'key.pem')} holds no certificate`],
    // All at once, whatever else is wrong.
    ['upstreamProxy: {passwordFile: open, caFile: none}', '2:16: upstreamProxy.url: is missing', '2:31: upstreamProxy.passwordFile: ', '2:45: upstreamProxy.caFile: '],
  ]
  for (const [text, ...lines] of table) {
    const found = await listLines(contoso + text)
    t.equal(found.length, lines.length, `${text}\n${found.join('\n')}`)
    for (const [index, line] of lines.entries()) t.ok(found[index]?.startsWith(line), `${found[index]}\n${line}`)
  }
})

t.test('a parent that is the gateway itself is refused', async (t) => {
  const own = Object.values(networkInterfaces()).flat().find((one) => one?.family === 'IPv4' && !one.internal)?.address
  const loops: ReadonlyArray<readonly [host: string, listen: string]> = [
    ['127.0.0.1:3128', '{port: 3128}'],
    ['127.0.0.9:3128', '{port: 3128}'],
    ['localhost:3128', '{port: 3128}'],
    ['[::1]:3128', '{port: 3128, address: \'::\'}'],
    ['127.0.0.1:3128', '{port: 3128, address: \'::\'}'],
    ['10.0.0.4:3128', '{port: 3128, address: 10.0.0.4}'],
    ['proxy.example:3128', '{port: 3128, address: 10.0.0.4}'],
    ['proxy.example:1', '{port: 8443, address: 10.0.0.5}'],
    ...own === undefined ? [] : [[`${own}:3128`, '{port: 3128}'] as const],
  ]
  const hosts = 'dns: {hosts: {proxy.example: [10.0.0.4, \'10.0.0.5:8443\']}}\n'
  for (const [host, listen] of loops) {
    const [line, ...more] = await listLines(`${contoso}${hosts}listen: ${listen}\nupstreamProxy: {url: 'http://${host}'}\n`)
    t.match(line, /^4:22: upstreamProxy\.url: is the gateway itself \(listen\); write the host and port of the proxy/, host)
    t.same(more, [])
  }
  const others: ReadonlyArray<readonly [host: string, listen: string]> = [
    ['127.0.0.1:3128', '{port: 3129}'],
    ['127.0.0.1:3128', '{port: 3128, address: 10.0.0.4}'],
    ['10.0.0.4:3128', '{port: 3128, address: 10.0.0.5}'],
    ['192.0.2.1:3128', '{port: 3128}'],
    ['proxy.example:3128', '{port: 8443, address: 10.0.0.4}'],
    ['other.example:3128', '{port: 3128}'],
  ]
  for (const [host, listen] of others) {
    const result = await load(`${contoso}${hosts}listen: ${listen}\nupstreamProxy: {url: 'http://${host}'}\n`)
    t.ok(result.ok, `${host} ${listen}`)
  }
})

t.test('what has no effect with a parent that resolves is warned of, and the file of service tags is not read', async (t) => {
  const text = (resolve: string, tags: string) => `registries: [{loginServer: contoso.azurecr.io, regions: [eastus], privateEndpoints: [10.1.2.0/24]}]
dns: {hosts: {contoso.azurecr.io: [10.1.2.3], proxy.example: [10.0.0.9]}}
addresses: {serviceTagsFile: ${tags}, mode: report}
upstreamProxy: {url: 'http://gate@proxy.example:3128', resolve: ${resolve}}
`
  const why = 'has no effect: the parent proxy resolves, and no address is judged; write upstreamProxy.resolve: gateway, or drop the key'
  const user = '4:22: upstreamProxy.url: has a user, who is sent with an empty password; write passwordFile, or drop the user'
  for (const tags of ['tags.json', 'none.json']) {
    t.same(await listLines(text('parent', tags)), [
      `1:67: registries[0].privateEndpoints: ${why}`,
      `2:15: dns.hosts["contoso.azurecr.io"]: ${why}`,
      `3:13: addresses.serviceTagsFile: ${why}`,
      `3:41: addresses.mode: ${why}`,
      user,
    ])
  }
  const judged = await load(text('gateway', 'tags.json'))
  t.match(judged, { ok: true, configuration: { addresses: { tagFile: { file: join(folder, 'tags.json') } } } })
  t.same(await listLines(text('gateway', 'tags.json')), [user])
})

t.test('an authority for clear text, and a name that only the search list knows, are warned of', async (t) => {
  t.same(await listLines(`${contoso}upstreamProxy: {url: 'http://proxy.example:3128', caFile: ca.crt}`), [
    '2:51: upstreamProxy.caFile: has no effect with an http:// URL; write https:// there, or drop the key',
  ])
  for (const [host, right] of [['proxy', 'the whole name, or the address'], ['localhost', '127.0.0.1']]) {
    t.same(await listLines(`${contoso}upstreamProxy: {url: 'http://${host}:3128'}`), [
      `2:22: upstreamProxy.url: asks the name servers for ${host} as it stands, without the domains of /etc/resolv.conf; write ${right}`,
    ])
  }
  t.same(await listLines(`${contoso}dns: {hosts: {proxy: [10.0.0.9]}}\nupstreamProxy: {url: 'http://proxy:3128'}`), [])
})
