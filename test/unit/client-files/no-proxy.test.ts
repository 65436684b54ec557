import t from 'tap'
import { listBypasses, localNames, parseNoProxy } from '../../../src/client-files/no-proxy.ts'

t.test('a list is put behind what is local, each entry once and in one spelling', async (t) => {
  const parsed = parseNoProxy('Corp.Example, .svc,10.0.0.0/8,127.0.0.1,FD00::1,.corp.example,corp.example')
  t.same(parsed.ok && parsed.entries, [
    ...localNames, 'corp.example', '.svc', '10.0.0.0/8', 'fd00::1', '.corp.example',
  ])
})

t.test('what only some clients understand is refused', async (t) => {
  const table: ReadonlyArray<readonly [text: string, message: RegExp]> = [
    ['', /an entry is empty/],
    ['a.example,,b.example', /an entry is empty/],
    ['*', /every host, which would send all of them past the gateway/],
    ['*.corp.example', /write \.corp\.example$/],
    ['https://corp.example/x', /write corp\.example$/],
    ['corp.example:443', /write corp\.example$/],
    ['a.example b.example', /a name, a \.domain, an address or a block of addresses$/],
    ['10.0.0.1/8', /write /],
  ]
  for (const [text, message] of table) {
    const parsed = parseNoProxy(text)
    t.match(parsed.ok ? 'read' : `${parsed.mistake.what}; ${parsed.mistake.write}`, message, JSON.stringify(text))
  }
})

t.test('entries that lead past the gateway are told apart', async (t) => {
  const around = ['contoso.azurecr.io', '.azurecr.io', '.eastus.data.azurecr.io', '.io', '.windows.net', 'a.blob.core.windows.net', '.azurecr.us']
  const harmless = [...localNames, 'azurecr.example', '.xazurecr.io', '.svc', '10.0.0.0/8', 'vault.azure.net']
  t.same(listBypasses([...around, ...harmless]), around)
})
