import t from 'tap'
import { renderSquid } from '../../../src/export/squid.ts'
import { contoso, exportSources } from '../../support/export-sources.ts'

/** The lines that Squid reads. */
function linesOf (...written: Parameters<typeof exportSources>): readonly string[] {
  return renderSquid(exportSources(...written)).split('\n').filter((line) => line !== '' && !line.startsWith('#'))
}

t.test('rules come in the order that denies first and last', async (t) => {
  const registries = [{ ...contoso, privateEndpoints: ['10.1.2.0/24'] }]
  t.same(linesOf({ registries, plainHosts: ['crl.example.com'] }).filter((line) => line.startsWith('http_access')), [
    'http_access deny !clients',
    'http_access deny names_443 special_purpose !private_endpoints',
    'http_access allow method_443 port_443 names_443',
    'http_access deny names_80 special_purpose !private_endpoints',
    'http_access allow method_80 port_80 names_80',
    'http_access deny all',
  ])
  t.ok(linesOf().includes('http_access deny names_443 special_purpose'), 'without private endpoints nothing is excepted')
})

t.test('a tunnel is at 443 only, and plain requests at 80 only', async (t) => {
  const lines = linesOf({ plainHosts: ['crl.example.com'] })
  for (const line of ['acl port_443 port 443', 'acl method_443 method CONNECT', 'acl port_80 port 80', 'acl method_80 method GET HEAD POST']) {
    t.ok(lines.includes(line), line)
  }
  t.ok(lines.includes('acl exact_80 dstdomain -n crl.example.com'))
  t.notOk(lines.includes('acl exact_443 dstdomain -n crl.example.com'))
})

t.test('a wildcard is one whole label', async (t) => {
  const lines = linesOf({ registries: [{ ...contoso, storage: 'any' }] })
  const [, form = ''] = lines.map((line) => /^acl label_443 dstdom_regex -n -i (\S+)$/.exec(line)).find((found) => found !== null) ?? []
  const names = [
    ['account.blob.core.windows.net', true], ['account.blob.core.windows.net.', true], ['x.y.blob.core.windows.net', false],
    ['blob.core.windows.net', false], ['.blob.core.windows.net', false], ['evilblob.core.windows.net', false],
    ['account.blob.core.windows.net.example', false], ['account.blobXcore.windows.net', false], ['-.blob.core.windows.net', false],
  ] as const
  for (const [name, isMatched] of names) t.equal(new RegExp(form, 'i').test(name), isMatched, name)
})

t.test('no block that Squid is given holds the IPv4-mapped addresses, or lies in another', async (t) => {
  const blocks = linesOf().flatMap((line) => /^acl special_purpose dst (\S+)$/.exec(line)?.[1] ?? [])
  t.ok(blocks.includes('10.0.0.0/8') && blocks.includes('8000::/1'))
  for (const block of ['::/3', '::ffff:0:0/96', 'fc00::/7', '::1/128']) t.notOk(blocks.includes(block), block)
})

t.test('the port, the clients and the name servers are those of the configuration', async (t) => {
  const lines = linesOf({ listen: { address: '::', port: 443 }, clients: ['10.0.0.0/8', '10.1.0.0/16', 'fd00::/8'], nameServers: ['10.0.0.53', '10.0.0.54 5353'] })
  t.ok(lines.includes('http_port [::]:443'))
  t.same(lines.filter((line) => line.startsWith('acl clients')), ['acl clients src 10.0.0.0/8', 'acl clients src fd00::/8'])
  t.ok(lines.includes('dns_nameservers 10.0.0.53'))
  t.ok(linesOf({ listen: { address: '0.0.0.0', port: 0 } }).includes('http_port 0.0.0.0:3128'))
  t.notOk(linesOf().some((line) => line.startsWith('dns_nameservers')))
})
