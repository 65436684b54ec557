import t from 'tap'
import { listDrift } from '../../../src/config/endpoint-drift.ts'
import { type EndpointList, readEndpointLists } from '../../../src/config/endpoint-list.ts'
import { createRegistryBlock, mergeRegistries } from '../../../src/config/registry-block.ts'
import { readRegistry } from '../policy/sources.ts'

// As Microsoft's article on the firewall rules of a registry prints it, trailing commas included.
const sample = `{
    "loginServer": "myregistry.azurecr.io",
    "dataEndpoints": [
        {
            "region": "eastus",
            "endpoint": "myregistry.eastus.data.azurecr.io",
        },
        {
            "region": "westus",
            "endpoint": "myregistry.westus.data.azurecr.io",
        }
    ]
}`

function read (text: string): readonly EndpointList[] {
  const result = readEndpointLists(text)
  if (!result.ok) throw new TypeError(result.problem)
  return result.lists
}

function write (...registries: ReadonlyArray<Readonly<Record<string, unknown>>>): string {
  return registries.map((registry) => JSON.stringify(registry)).join('\n')
}

const blob = { region: 'eastus', endpoint: '*.blob.core.windows.net' }

t.test('the article\'s own sample gives exactly its two data endpoints', async (t) => {
  const [list] = read(sample)
  t.match(list, { loginServer: { host: 'myregistry.azurecr.io' }, regions: ['eastus', 'westus'], usesStorage: false, regionalEndpoints: false })
  t.equal(createRegistryBlock(read(sample)), 'registries:\n  - loginServer: myregistry.azurecr.io\n    regions: [eastus, westus]\n')
})

t.test('what az prints is understood in each of its forms', async (t) => {
  const regional = [{ region: 'eastus', endpoint: 'contoso.eastus.geo.azurecr.io' }]
  const data = [{ region: 'westus2', endpoint: 'Contoso.westus2.data.azurecr.io' }]
  const table: ReadonlyArray<readonly [text: string, expected: object]> = [
    [write({ loginServer: 'contoso.azurecr.io', dataEndpoints: [] }), { regions: [], usesStorage: false }],
    [write({ loginServer: 'contoso.azurecr.io', dataEndpoints: data, regionalEndpoints: null }), { regions: ['westus2'], regionalEndpoints: false }],
    [write({ loginServer: 'contoso.azurecr.io', dataEndpoints: data, regionalEndpoints: regional }), { regions: ['westus2', 'eastus'], regionalEndpoints: true }],
    [write({ loginServer: 'contoso.azurecr.io', dataEndpoints: [blob] }), { regions: [], usesStorage: true }],
    [`[${write({ loginServer: 'contoso.azurecr.io', dataEndpoints: data })},]`, { regions: ['westus2'] }],
    ['{"loginServer": "a-brace-}azurecr", }', {}],
  ]
  for (const [text, expected] of table.slice(0, -1)) t.match(read(text)[0], expected, text)
  t.equal(readEndpointLists(table.at(-1)?.[0] ?? '').ok, false, 'a bracket inside a text ends nothing')
  const gov = write({ loginServer: 'contoso.azurecr.us', dataEndpoints: [{ region: 'usgovvirginia', endpoint: 'contoso.usgovvirginia.data.azurecr.us' }] })
  t.strictSame(read(`${sample}\n${gov}`).map(({ loginServer }) => loginServer.host), ['myregistry.azurecr.io', 'contoso.azurecr.us'])
})

t.test('what is something else is refused with what to do', async (t) => {
  const table: ReadonlyArray<readonly [text: string, problem: RegExp]> = [
    ['', /there is nothing in it; give it the output of az acr show-endpoints --name NAME --output json/],
    ['Region    Endpoint\n--------  --------\neastus    x\n', /this is a table, and a table leaves the endpoints out;/],
    ['ERROR: The resource could not be found.\n', /^"ERROR: The resource could not be found\." is not JSON; give/],
    [sample.slice(0, -1), /the end is missing: a bracket is not closed;/],
    [`${sample}}`, /a bracket closes that was never opened;/],
    ['{"loginServer": }}', /bracket closes/],
    ['{"a": @}', /^what begins with .* is not JSON;/],
    ['{}', /a loginServer is missing;/],
    [write({ loginServer: 'contoso' }), /write contoso\.azurecr\.io/],
    [write({ loginServer: 'contoso.azurecr.io', dataEndpoints: {} }), /dataEndpoints of contoso\.azurecr\.io is no list;/],
    [write({ loginServer: 'contoso.azurecr.io', dataEndpoints: ['x'] }), /has no region or no endpoint;/],
    [write({ loginServer: 'contoso.azurecr.io', dataEndpoints: [{ region: 'eastus', endpoint: 'evil.example' }] }),
      /^"evil\.example" is no endpoint of contoso\.azurecr\.io in eastus, where it would be contoso\.eastus\.data\.azurecr\.io; see that/],
    [write({ loginServer: 'contoso.azurecr.io', regionalEndpoints: [{ region: 'eastus', endpoint: 'contoso.eastus.data.azurecr.io' }] }), /would be contoso\.eastus\.geo\.azurecr\.io/],
    ['{"loginServer": "contoso.azurecr.io", "__proto__": {"x": 1}, "dataEndpoints": [&a x, *a]}', /has no region|is not JSON/],
  ]
  for (const [text, problem] of table) {
    const result = readEndpointLists(text)
    t.match(result.ok ? 'understood' : result.problem, problem, text)
  }
})

t.test('registries are put into a file, and all else in it stays', async (t) => {
  const file = `# head
listen: {port: 8443} # port
registries:
  # ours
  - loginServer: MyRegistry.azurecr.io # written by hand
    regions: [eastus] # the first
    privateEndpoints: [10.0.0.0/24]
  - loginServer: other.azurecr.io
    storage: [account]
# foot
`
  const other = write({ loginServer: 'other.azurecr.io', dataEndpoints: [blob] })
  const fresh = write({ loginServer: 'fresh.azurecr.io', dataEndpoints: [blob], regionalEndpoints: [] })
  const merged = mergeRegistries(file, read(sample + other + fresh))
  t.equal(merged.ok && merged.text, `# head
listen: {port: 8443} # port
registries:
  # ours
  - loginServer: MyRegistry.azurecr.io # written by hand
    regions: [eastus, westus] # the first
    privateEndpoints: [10.0.0.0/24]
  - loginServer: other.azurecr.io
    storage: [account]
  - loginServer: fresh.azurecr.io
    storage: any

# foot
`)
  const again = merged.ok ? mergeRegistries(merged.text, read(sample + other + fresh)) : merged
  t.same(again, merged, 'a second time changes nothing')
})

t.test('an empty file gets the key, and a file that is none is left alone', async (t) => {
  for (const text of ['', '# nothing yet\n', 'listen: {port: 8443}\n']) {
    const merged = mergeRegistries(text, read(sample))
    t.match(merged.ok && merged.text, /registries:\n {2}- loginServer: myregistry\.azurecr\.io\n {4}regions: \[eastus, westus\]\n$/, text)
  }
  for (const text of ['registries: {a: b}\n', '- a\n', 'a: [\n', 'text']) {
    t.match(mergeRegistries(text, read(sample)), { ok: false, problem: /^is no configuration that can be added to; mend it first/ })
  }
})

t.test('drift is told with the line to write', async (t) => {
  const same = readRegistry({ loginServer: 'myregistry.azurecr.io', regions: ['westus', 'eastus'] })
  t.same(listDrift([same], read(sample)), [])
  t.same(listDrift([], read(sample)), ['myregistry.azurecr.io is not in the configuration; add it with acr-egress import'])
  const other = readRegistry({ loginServer: 'myregistry.azurecr.io', regions: ['eastus', 'westeurope'], regionalEndpoints: true, storage: 'any' })
  t.same(listDrift([same, other].slice(1), read(sample)), [
    'registries[0]: myregistry.azurecr.io has endpoints in westus, which are refused; write regions: [eastus, westus]',
    'registries[0]: myregistry.azurecr.io has no endpoints in westeurope any more; write regions: [eastus, westus]',
    'registries[0]: the regional endpoints of myregistry.azurecr.io are off; write regionalEndpoints: false',
    'registries[0]: myregistry.azurecr.io has dedicated data endpoints and needs no storage; write storage: none once no pull uses it any more',
  ])
  const off = read(write({ loginServer: 'myregistry.azurecr.io', dataEndpoints: [blob] }))
  t.same(listDrift([same], off), [
    'registries[0]: myregistry.azurecr.io has no endpoints in westus, eastus any more; drop regions',
    'registries[0]: myregistry.azurecr.io has no dedicated data endpoints, so that no layer can be pulled; turn them on, or set storage',
  ])
})
