import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { loadConfiguration } from '../../../src/config/load.ts'
import { formatProblem } from '../../../src/config/problem.ts'

const folder = t.testdir({})
const file = join(folder, 'config.yaml')

/** The problems of a file with this text, each as its line without the file's name. */
async function listProblems (text: string | Uint8Array): Promise<string[]> {
  await writeFile(file, text)
  const result = await loadConfiguration({ file })
  return result.ok ? [] : result.problems.map((problem) => formatProblem(problem).replace(`${file}:`, ''))
}

const registry = 'registries: [{loginServer: contoso.azurecr.io, regions: [eastus]}]\n'
const map = 'expected a map'

/** Each is a whole file, and the beginnings of all its problems. */
const table: Record<string, ReadonlyArray<readonly [text: string, ...problems: string[]]>> = {
  'registries and what is in them': [
    ['registries: []', '1:13: registries: the list is empty; write [{loginServer'],
    ['registries: contoso.azurecr.io', '1:13: registries: expected a list of registries, found the text "contoso.azurecr.io"; write [{'],
    ['log: {}', '1:1: registries: is missing; write [{loginServer: contoso.azurecr.io'],
    ['registries: [contoso.azurecr.io]', `1:14: registries[0]: ${map}, found the text "contoso.azurecr.io"`],
    ['registries:\n  - regions: [eastus]', '2:5: registries[0].loginServer: is missing; write loginServer: contoso.azurecr.io'],
    ['registries:\n  - loginServer: 5', '2:18: registries[0].loginServer: expected the login server of a registry, found the number 5'],
    ['registries:\n  - loginServer: contoso', '2:18: registries[0].loginServer: \'contoso\' is not a login server; write contoso.azurecr.io'],
    ['registries:\n  - loginServer: https://contoso.azurecr.io/', '2:18: registries[0].loginServer: \'https://contoso.azurecr.io/\' is not a host name; write contoso.azurecr.io'],
    [`registries:\n  - loginServer: ${'x'.repeat(400)}`, '2:18: registries[0].loginServer: "xxxx'],
    ['registries:\n  - loginServer: contoso.azurecr.io\n    regions: eastus', '3:14: registries[0].regions: expected a list of regions, found the text "eastus"; write [eastus]'],
    ['registries:\n  - loginServer: contoso.azurecr.io\n    regions: []', '3:14: registries[0].regions: the list is empty; drop the key, or write [eastus, westeurope]'],
    ['registries:\n  - loginServer: contoso.azurecr.io\n    regions: [East US]', '3:15: registries[0].regions[0]: "East US" is not an Azure region; write eastus'],
    ['registries:\n  - loginServer: contoso.azurecr.io\n    regions: [eastus, 1]', '3:23: registries[0].regions[1]: expected an Azure region, found the number 1'],
    ['registries:\n  - loginServer: contoso.azurecr.io\n    regionalEndpoints: yes', '3:24: registries[0].regionalEndpoints: expected true or false, found the text "yes"; write true, without quotes (YAML 1.2'],
    ['registries:\n  - loginServer: contoso.azurecr.io\n    storage: some', '3:14: registries[0].storage: expected none, any, or a list of storage accounts, found the text "some"; write none, any or [account]'],
    ['registries:\n  - loginServer: contoso.azurecr.io\n    storage: []', '3:14: registries[0].storage: the list is empty; drop the key'],
    ['registries:\n  - loginServer: contoso.azurecr.io\n    storage: [Contoso]', '3:15: registries[0].storage[0]: "Contoso" is not a storage account\'s name; write contoso'],
    ['registries:\n  - loginServer: contoso.azurecr.io\n    storage: [123]', '3:15: registries[0].storage[0]: expected a storage account, found the number 123; write \'123\', in quotes'],
    ['registries:\n  - loginServer: contoso.azurecr.io\n    storage: {a: b}', '3:14: registries[0].storage: expected none, any, or a list of storage accounts, found a map'],
    ['registries:\n  - loginServer: contoso.azurecr.io\n    region: [eastus]', '3:5: registries[0].region: no such key; did you mean regions?'],
    ['registries:\n  - {loginServer: contoso.azurecr.io}\n  - {loginServer: Contoso.azurecr.io.}', '3:19: registries[1].loginServer: contoso.azurecr.io is given twice, first on line 2; write it once'],
  ],
  'private endpoints': [
    ['registries:\n  - loginServer: contoso.azurecr.io\n    privateEndpoints: []', '3:23: registries[0].privateEndpoints: the list is empty'],
    ['registries:\n  - loginServer: contoso.azurecr.io\n    privateEndpoints: [10.1.2.3/8]', '3:24: registries[0].privateEndpoints[0]: "10.1.2.3/8" is an address inside a block, not the block; write 10.0.0.0/8, or'],
    ['registries:\n  - loginServer: contoso.azurecr.io\n    privateEndpoints: ["fd00:1:2::3/40"]', '3:24: registries[0].privateEndpoints[0]: "fd00:1:2::3/40" is an address inside a block, not the block; write fd00:1::/40, or'],
    ...['0.0.0.0/0', '::/0', '10.0.0.0/7', '169.254.0.0/16', '169.254.169.254', '168.63.129.16', '224.0.0.0/4', '192.0.2.0/24', '0.0.0.0', '::', 'fe80::/10', '::ffff:10.0.0.0/104', '20.1.2.0/24', '2603:1020::/32'].map((block) => {
      return [`registries:\n  - loginServer: contoso.azurecr.io\n    privateEndpoints: ['${block}']`, '3:24: registries[0].privateEndpoints[0]: '] as const
    }),
  ],
  'extra hosts': [
    [`${registry}extraHosts: []`, '2:13: extraHosts: the list is empty'],
    [`${registry}extraHosts: x.example`, '2:13: extraHosts: expected a list of host names, found the text "x.example"; write [x.example]'],
    [`${registry}extraHosts: ['*.example.com']`, '2:14: extraHosts[0]: "*.example.com" is a wildcard, and only exact names are let through here; write each name by itself'],
    [`${registry}extraHosts: [10.0.0.1]`, '2:14: extraHosts[0]: 10.0.0.1 is an address, and hosts are let through by name; write the host\'s name'],
    [`${registry}extraHosts: ['[::1]:443']`, '2:14: extraHosts[0]: [::1]:443 is an address'],
    [`${registry}extraHosts: ['a.example:8443']`, '2:14: extraHosts[0]: "a.example:8443" is more than a host name; write a.example (the port is always 443)'],
    [`${registry}extraHosts: [localhost]`, '2:14: extraHosts[0]: "localhost" has no domain'],
    [`${registry}extraHosts: [a_b.example]`, '2:14: extraHosts[0]: "a_b.example" is not a host name'],
  ],
  'the listener': [
    [`${registry}listen: 443`, `2:9: listen: ${map}, found the number 443`],
    [`${registry}listen:`, `2:1: listen: ${map}, found nothing`],
    [`${registry}listen:\n  address: localhost`, '3:12: listen.address: "localhost" is not an IP address; write 127.0.0.1'],
    [`${registry}listen:\n  address: 0.0.0.0:443`, '3:12: listen.address: "0.0.0.0:443" is not an IP address; write 0.0.0.0, and the port under port'],
    [`${registry}listen:\n  address: 1`, '3:12: listen.address: expected the IP address to listen at, found the number 1'],
    [`${registry}listen:\n  port: "443"`, '3:9: listen.port: expected a whole number from 0 to 65535, found the text "443"; write 443 without quotes'],
    [`${registry}listen:\n  port: 65536`, '3:9: listen.port: expected a whole number from 0 to 65535, found the number 65536'],
    [`${registry}listen:\n  port: -1`, '3:9: listen.port: expected a whole number'],
    [`${registry}listen:\n  port: 44.3`, '3:9: listen.port: expected a whole number'],
    [`${registry}listen:\n  port: .inf`, '3:9: listen.port: expected a whole number'],
    [`${registry}listen:\n  headTimeout: 10`, '3:16: listen.headTimeout: expected a duration like 10s, found the number 10; write 10s'],
    [`${registry}listen:\n  headTimeout: 10 sec`, '3:16: listen.headTimeout: expected a duration like 10s, found the text "10 sec"; write 10s'],
    [`${registry}listen:\n  headTimeout: 1h`, '3:16: listen.headTimeout: 1h is out of bounds; write a duration from 1ms to 5m'],
    [`${registry}listen: {proxyProtocol: off}`, '2:25: listen.proxyProtocol: expected a list of addresses of load balancers, found the text "off"; write [10.0.0.4]'],
    [`${registry}listen: {proxyProtocol: 10.0.0.4}`, '2:25: listen.proxyProtocol: expected a list of addresses of load balancers, found the text "10.0.0.4"; write [10.0.0.4]'],
    [`${registry}listen: {proxyProtocol: []}`, '2:25: listen.proxyProtocol: the list is empty; drop the key, or write [10.0.0.4]'],
    [`${registry}listen: {proxyProtocol: [10.0.0.4/24]}`, '2:26: listen.proxyProtocol[0]: "10.0.0.4/24" is an address inside a block, not the block; write 10.0.0.0/24'],
    [`${registry}listen: {proxyProtocol: [0.0.0.0/0, '::/0']}`, '2:26: listen.proxyProtocol[0]: 0.0.0.0/0 is everybody, who could then say that they are anybody; write the addresses', '2:37: listen.proxyProtocol[1]: ::/0 is everybody'],
    [`${registry}listen:\n  tls: {certFile: a.pem}`, '3:8: listen.tls.keyFile: is missing; write a path like', `3:19: listen.tls.certFile: ${join(folder, 'a.pem')} does not exist`],
    [`${registry}listen:\n  tls: {keyFile: a.pem}`, '3:8: listen.tls.certFile: is missing', `3:18: listen.tls.keyFile: ${join(folder, 'a.pem')} does not exist`],
    [`${registry}listen:\n  tls: {certFile: a.crt, keyFile: a.key, bogus: 1}`, '3:19: listen.tls.certFile: ', '3:35: listen.tls.keyFile: ', '3:42: listen.tls.bogus: no such key; write one of certFile, keyFile'],
    [`${registry}listen:\n  tls: {certFile: '', keyFile: 5}`, '3:19: listen.tls.certFile: expected the path of a file, found an empty text', '3:32: listen.tls.keyFile: expected the path of a file, found the number 5'],
    [`${registry}admin: {address: 10.0.0.1, port: 443}`, '2:34: admin.port: both listeners have this port; write'],
    [`${registry}listen: {port: 9180}\nadmin: {address: 0.0.0.0}`, '2:16: listen.port: both listeners have this port; write'],
  ],
  'the other sections': [
    [`${registry}clients: {allow: []}`, '2:18: clients.allow: the list is empty; drop the key'],
    [`${registry}clients: {allow: 10.0.0.0/8}`, '2:18: clients.allow: expected a list of blocks, found the text "10.0.0.0/8"; write [10.0.0.0/8]'],
    [`${registry}clients: {allow: [10.0.0.1/8]}`, '2:19: clients.allow[0]: "10.0.0.1/8" is an address inside a block, not the block; write 10.0.0.0/8, or the address alone'],
    [`${registry}clients: {allow: [everyone]}`, '2:19: clients.allow[0]: "everyone" is not a block of addresses'],
    [`${registry}tunnel: {connectTimeout: 0s}`, '2:26: tunnel.connectTimeout: 0s is out of bounds'],
    [`${registry}tunnel: {idleTimeout: 15d}`, '2:23: tunnel.idleTimeout: 15d is out of bounds'],
    [`${registry}tunnel: {maxTunnels: 0}`, '2:22: tunnel.maxTunnels: expected a whole number from 1 to 100000, found the number 0'],
    [`${registry}tunnel: {maxTunnelsPerClient: many}`, '2:31: tunnel.maxTunnelsPerClient: expected a whole number'],
    [`${registry}tunnel: {sni: enforce}`, '2:10: tunnel.sni: no such key; write one of serverName, helloTimeout, connectTimeout, idleTimeout, maxTunnels, maxTunnelsPerClient, maxSetupsPerSecondPerClient'],
    [`${registry}tunnel: {serverName: on}`, '2:22: tunnel.serverName: expected one of enforce, report, off, found the text "on"; write off'],
    [`${registry}tunnel: {maxSetupsPerSecondPerClient: 0.5}`, '2:39: tunnel.maxSetupsPerSecondPerClient: expected a whole number from 1 to 100000'],
    [`${registry}admin: []`, `2:8: admin: ${map}, found a list`],
    [`${registry}admin: {address: ::1x}`, '2:18: admin.address: "::1x" is not an IP address'],
    [`${registry}admin: {port: http}`, '2:15: admin.port: expected a whole number'],
    [`${registry}admin: {names: []}`, '2:16: admin.names: the list is empty'],
    [`${registry}admin: {names: ['gw:9180']}`, '2:17: admin.names[0]: "gw:9180" is not a host name; write a name without a port'],
    [`${registry}log: {level: loud}`, '2:14: log.level: expected one of debug, info, warn, error, found the text "loud"; write one of these'],
    [`${registry}log: {level: wran}`, '2:14: log.level: expected one of debug, info, warn, error, found the text "wran"; write warn'],
    [`${registry}shutdown: {drainTimeout: 2d}`, '2:26: shutdown.drainTimeout: 2d is out of bounds; write a duration from 0s to 1d'],
    [`${registry}shutdown: {drainTimeout: true}`, '2:26: shutdown.drainTimeout: expected a duration like 10s, found true'],
    [`${registry}bundles: [mrc]`, '2:11: bundles[0]: expected one of mcr, entra, revocation, found the text "mrc"; write mcr'],
    [`${registry}bundles: mcr`, '2:10: bundles: expected a list of bundles, found the text "mcr"; write [mcr]'],
    [`${registry}bundles: []`, '2:10: bundles: the list is empty; drop the key, or write [mcr]'],
    [`${registry}policy: {mode: off}`, '2:16: policy.mode: expected one of enforce, report, found the text "off"; write one of these'],
    [`${registry}policy: report`, '2:9: policy: expected a map'],
    [`${registry}colour: red`, '2:1: colour: no such key; write one of registries, bundles, extraHosts, listen'],
    [`${registry}transparent: true`, '2:1: transparent: no such key here; write it as listen.transparent'],
    [`${registry}idleTimeout: 5m`, '2:1: idleTimeout: no such key here; write it as tunnel.idleTimeout'],
    [`${registry}lisen: {}\nadnin: {}`, '2:1: lisen: no such key; did you mean listen?', '3:1: adnin: no such key; did you mean admin?'],
  ],
  'name resolution': [
    [`${registry}dns: {servers: []}`, '2:16: dns.servers: the list is empty'],
    [`${registry}dns: {servers: [dns.example]}`, '2:17: dns.servers[0]: "dns.example" is not IP or IP:PORT; write it like'],
    ...['10.0.0.53:0', '10.0.0.53:65536', '[10.0.0.53]:53', '[fd00::53', 'fd00::53]:53', '10.0.0.53:', ''].map((server) => {
      return [`${registry}dns: {servers: ['${server}']}`, '2:17: dns.servers[0]: '] as const
    }),
    [`${registry}dns: {timeout: 2}`, '2:16: dns.timeout: expected a duration like 10s, found the number 2; write 2s'],
    [`${registry}dns: {minTtl: 10m}`, '2:15: dns.minTtl: minTtl, 10m, is longer than maxTtl, 5m; write a shorter minTtl, or a longer maxTtl'],
    [`${registry}dns: {maxTtl: 500ms, timeout: 1}`, '2:15: dns.maxTtl: minTtl, 1s, is longer than maxTtl, 500ms', '2:31: dns.timeout: expected a duration'],
    [`${registry}dns: {negativeTtl: 0s}`, '2:20: dns.negativeTtl: 0s is out of bounds'],
    [`${registry}dns: {hosts: [a]}`, '2:14: dns.hosts: expected a map of host names, found a list'],
    [`${registry}dns:\n  hosts:\n    A.example: [10.0.0.1]`, '4:5: dns.hosts["A.example"]: "A.example" is not in the form that names are compared in; write a.example'],
    [`${registry}dns:\n  hosts:\n    a_b: [10.0.0.1]`, '4:5: dns.hosts.a_b: "a_b" is not a host name'],
    [`${registry}dns:\n  hosts:\n    a.example: 10.0.0.1`, '4:16: dns.hosts["a.example"]: expected a list of addresses, found the text "10.0.0.1"; write [10.0.0.1]'],
    [`${registry}dns:\n  hosts:\n    a.example: []`, '4:16: dns.hosts["a.example"]: the list is empty'],
    [`${registry}dns:\n  hosts:\n    a.example: [10.0.0.1:x]`, '4:17: dns.hosts["a.example"][0]: "10.0.0.1:x" is not IP or IP:PORT'],
  ],
  'what is not a configuration': [
    ['', '1:1: the file holds no settings; begin with registries:'],
    ['# nothing yet\n', '1:1: the file holds no settings'],
    ['- a', '1:1: the file must hold a map of keys'],
    ['registries:\n\t- loginServer: x', '2:1: a tab stands where the line is indented; write spaces'],
    ['log:\n    level: info\n  x: 1', '3:1: the indentation fits nothing above it'],
    ['log: {level: "info}', '1:20: '],
    ['log: {}\n---\nlog: {}', '2:1: a second document begins here'],
    ['a: !!binary aGk=', '1:4: ! begins a tag in YAML'],
    ['listen:\n  address: ::', '2:12: a text ends with a colon'],
    ['listen:\n  address: @all\nadmin:\n  address: `x`', '2:12: a text cannot begin with this character', '4:12: a text cannot begin with this character'],
    [`${'['.repeat(20_000)}`, '1:'],
  ],
  'what is YAML, but has no place in a configuration': [
    [`${registry}log: {}\nlog: {}\nlog: {}`, '3:1: "log" is given twice, first on line 2; drop one of the two', '4:1: "log" is given twice, first on line 2'],
    [`log: {level: loud}\n${registry}log: {}\nnope: 1\nnope: 1`, '1:14: log.level: expected one of', '3:1: "log" is given twice', '4:1: nope: no such key', '5:1: "nope" is given twice'],
    ['registries: [{loginServer: contoso, loginServer: contoso.azurecr.io}]\nclients: {allow: []}', '1:28: registries[0].loginServer: \'contoso\' is not', '1:37: "loginServer" is given twice', '2:18: clients.allow: the list is empty'],
    [`${registry}extraHosts: [&a a.example, *a, b]`, '2:28: * begins an alias in YAML, and aliases are not followed here', '2:32: extraHosts[2]: "b" has no domain'],
    [`${registry}log: &a {level: loud}\nshutdown: *a`, '2:17: log.level: expected one of', '3:11: * begins an alias in YAML'],
    [`${registry}log: &a {level: info, <<: *a}`, '2:23: log["<<"]: no such key', '2:27: * begins an alias in YAML'],
    [`${registry}log: {&a level: info, *a : 1, "": 2}`, '2:23: * begins an alias in YAML', '2:31: log[""]: no such key'],
    [`${registry}extraHosts: [*.example.com]`, '2:14: * begins an alias in YAML'],
    [`${registry}a: &a [*a]`, '2:1: a: no such key', '2:8: * begins an alias in YAML'],
    [`${registry}dns: {servers: [[fd00::1]:53, x], timeout: 1}`, '2:17: brackets and braces make this key a list or a map; put the text in quotes', '2:31: dns.servers[1]: "x" is not IP', '2:44: dns.timeout: expected a duration'],
    [`${registry}dns: {hosts: {__proto__: [10.0.0.1], a.example: []}}`, '2:15: "__proto__" cannot be a key', '2:49: dns.hosts["a.example"]: the list is empty'],
    ['__proto__: {}\nlog: 1', '1:1: "__proto__" cannot be a key', '1:1: registries: is missing', '2:6: log: expected a map'],
    ['registries:\n  - *a : 1\n    regions: [&a eastus]', '2:5: * begins an alias in YAML', '2:5: registries[0].loginServer: is missing'],
    [`${registry}dns: {hosts: {__proto__: [10.0.0.1]}}`, '2:15: "__proto__" cannot be a key'],
    ['? [a]\n: b', '1:1: registries: is missing', '1:3: brackets and braces'],
  ],
}

for (const [what, cases] of Object.entries(table)) {
  t.test(`each mistake in ${what} is named at its place, with what to write`, async (t) => {
    for (const [text, ...expected] of cases) {
      const problems = await listProblems(text)
      const shown = JSON.stringify(text.replace(registry, '…').slice(0, 100))
      if (text.length < 10_000) t.equal(problems.length, expected.length, `${shown} has ${expected.length} problems: ${problems.join(' | ')}`)
      for (const [index, beginning] of expected.entries()) {
        t.equal(problems[index]?.slice(0, beginning.length), beginning, shown)
      }
      for (const problem of problems) {
        t.notMatch(problem, /\n| at .*\.ts|Error\b|undefined|NaN|[Zz]od/, 'in one line of plain words')
        t.match(problem, /; (?:write|drop|did you mean|put|begin|indent|close|compare|see)|more problems/, 'which says what to do')
      }
    }
  })
}

t.test('all problems come at once, in the order of the file', async (t) => {
  const problems = await listProblems('listen: {port: x}\nregistries:\n  - loginServer: contoso\n    regions: [East US]\nlog: {level: 1}\nnope: 1\n')
  t.same(problems.map((problem) => problem.split(': ')[1]), ['listen.port', 'registries[0].loginServer', 'registries[0].regions[0]', 'log.level', 'nope'])
})

t.test('no more than a hundred problems are printed', async (t) => {
  const problems = await listProblems(registry + Array.from({ length: 500 }, (_, index) => `key${index}: 1`).join('\n'))
  t.equal(problems.length, 101)
  t.match(problems[100], /^there are 400 more problems/)
})

t.test('a file full of one key is refused as well', async (t) => {
  const problems = await listProblems(registry + 'a:\n'.repeat(150_000))
  t.equal(problems.length, 101)
  t.match(problems[0], /^2:1: a: no such key/)
  t.match(problems[1], /^3:1: "a" is given twice, first on line 2/)
})

t.test('control characters of the file do not reach the terminal', async (t) => {
  const problems = await listProblems('"a\\e[31m": 1\nregistries: [{loginServer: "\\e[2J\\u202e.azurecr.io", regions: ["\\a"]}]\nlog: {level: "\\x9b2J"}\n')
  t.equal(problems.length, 4)
  // eslint-disable-next-line no-control-regex -- this is what must not be there
  for (const problem of problems) t.notMatch(problem, /[\u0000-\u001f\u007f-\u009f\u202e]/)
})

t.test('a file that is not UTF-8, or far too long, is refused as a whole', async (t) => {
  t.same(await listProblems(Uint8Array.of(0x61, 0x3a, 0xff)), [' is not UTF-8 text; save it as UTF-8'])
  t.same(await listProblems('#'.repeat(1024 * 1024 + 1)), [' is longer than 1024 KiB; see that it is the right file'])
})

t.test('a file that cannot be read is refused', async (t) => {
  const absent = await loadConfiguration({ file: join(folder, 'absent.yaml') })
  t.match(absent, { ok: false, problems: [{ place: { file: join(folder, 'absent.yaml') }, key: '', message: /^does not exist; / }] })
  const directory = await loadConfiguration({ file: folder })
  t.match(directory, { ok: false, problems: [{ message: /^is a directory; / }] })
  const device = await loadConfiguration({ file: '/dev/zero' })
  t.match(device, { ok: false, problems: [{ message: /^is not an ordinary file; / }] })
})
