import t from 'tap'
import { renderNftables } from '../../../src/export/nftables.ts'
import { ExportError } from '../../../src/export/sources.ts'
import { contoso, exportSources } from '../../support/export-sources.ts'

const tags = {
  AzureContainerRegistry: ['20.1.0.0/24', '20.1.1.0/24', '2603:1030::/48'],
  Storage: ['20.2.0.0/16', '20.2.3.0/24'],
  'AzureContainerRegistry.EastUS': ['20.1.0.0/24'],
  'Storage.EastUS': ['20.2.3.0/24'],
}

/** The elements of a set, without comments. */
function readSet (text: string, name: string): readonly string[] {
  const [, body = ''] = new RegExp(`^  set ${name} \\{\\n([^}]*)(?:\\}|$)`, 'm').exec(text) ?? []
  return [...body.matchAll(/^ {6}([0-9a-f:./]+),$/gm)].map(([, element = '']) => element)
}

t.test('the sets hold the blocks of the tags that the rules need, each family by itself, none inside another', async (t) => {
  const text = renderNftables(exportSources({ tags }))
  t.same(readSet(text, 'https_ipv4'), ['20.1.0.0/24', '20.1.1.0/24', '20.2.0.0/16'])
  t.same(readSet(text, 'https_ipv6'), ['2603:1030::/48'])
  t.same(readSet(text, 'clients_ipv4'), ['10.0.0.0/8'])
  t.match(text, /^ {6}# AzureContainerRegistry: 2$/m)
})

t.test('in the scope of regions the guess about the bare suffix does not open the service everywhere', async (t) => {
  const text = renderNftables(exportSources({ tags, tagScope: 'regional' }))
  t.same(readSet(text, 'https_ipv4'), ['20.1.0.0/24', '20.2.3.0/24'])
  t.match(text, /addresses are known for them:\n# {5}azurecr\.io\n\n/)
  t.match(text, 'Some addresses of registries lie in no region')
})

t.test('private endpoints are added, and will do without a file', async (t) => {
  const registries = [{ ...contoso, privateEndpoints: ['10.1.2.0/24', 'fd00::/64'] }]
  const both = renderNftables(exportSources({ registries, tags }))
  t.same(readSet(both, 'https_ipv4').slice(-1), ['10.1.2.0/24'])
  const alone = renderNftables(exportSources({ registries, extraHosts: ['packages.example.com'] }))
  t.same(readSet(alone, 'https_ipv4'), ['10.1.2.0/24'])
  t.same(readSet(alone, 'https_ipv6'), ['fd00::/64'])
  t.match(alone, /addresses are known for them:\n# {5}azurecr\.io\n# {5}packages\.example\.com\n\n/)
})

t.test('without any addresses it is refused, with what to do', async (t) => {
  t.throws(() => renderNftables(exportSources()), new ExportError('nftables knows addresses and no names, and the ' +
    'configuration has no addresses; write addresses: {serviceTagsFile: FILE} there (acr-egress tags refresh fetches ' +
    'the file), or privateEndpoints'))
})

t.test('the name servers of the configuration are let through at their ports, and any if there are none', async (t) => {
  const named = renderNftables(exportSources({ tags, nameServers: ['10.0.0.53', 'fd00::53 5353'] }))
  t.match(named, 'meta l4proto { tcp, udp } ip daddr 10.0.0.53 th dport 53 counter accept\n')
  t.match(named, 'meta l4proto { tcp, udp } ip6 daddr fd00::53 th dport 5353 counter accept\n')
  t.notMatch(named, '} th dport 53')
  const unnamed = renderNftables(exportSources({ tags }))
  t.match(unnamed, /name them, and only they are let through\.\n +meta l4proto \{ tcp, udp \} th dport 53 counter accept\n/)
})

t.test('names at port 80 have sets of their own', async (t) => {
  const text = renderNftables(exportSources({ tags, plainHosts: ['crl.example.com'] }))
  t.match(text, 'ip daddr @https_ipv4 tcp dport 443 counter accept\n')
  t.match(text, 'ip daddr @http_ipv4 tcp dport 80 counter accept\n')
  t.same(readSet(text, 'http_ipv4'), [])
})

t.test('it says what made it, and what it cannot say', async (t) => {
  const text = renderNftables(exportSources({ tags }))
  const words = text.replaceAll(/\n# /g, ' ')
  t.match(words, 'Made by acr-egress 1.2.3 from /etc/acr-egress/config.yaml, and the service tags of 2025-10-28 for Public')
  t.match(words, 'The addresses of Storage hold the blobs of every Azure customer')
  t.match(words, 'The prefixes change weekly')
  t.match(words, 'contoso.eastus.data.azurecr.io  443  registries[0].regions')
  t.ok(text.split('\n').every((line) => line.length <= 120), 'no line is too long')
  t.equal(text, renderNftables(exportSources({ tags })), 'the same again')
})

t.test('every line is a comment, or one that is meant', async (t) => {
  const text = renderNftables(exportSources({ tags }))
  const known = /^(?:#.*|table inet acr_egress \{|flush (?:set|chain) inet acr_egress \w+|\}|| {2,}.*)$/
  t.same(text.split('\n').filter((line) => !known.test(line)), [])
  t.notMatch(text.replaceAll(/^\s*#.*$/gm, ''), /hook|policy|reject|drop/, 'nothing is filtered by it')
})
