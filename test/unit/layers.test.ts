import { mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs'
import { dirname, join, relative, resolve, sep } from 'node:path'
import { fileURLToPath } from 'node:url'
import t, { type Test } from 'tap'

/** What the files of a place may import besides each other. */
interface Rule {
  /** Rooms, or single files of rooms. */
  readonly rooms: readonly string[]
  /** Packages from elsewhere. */
  readonly packages?: readonly string[]
  /** Which modules of Node; all of them unless told. */
  readonly node?: 'none' | 'no files'
}

const belowGateway = [
  'net', 'acr', 'policy', 'refusal', 'dns', 'tls', 'tags', 'host', 'relay', 'telemetry', 'proxy', 'admin', 'config',
  'sightings', 'outlook', 'users',
]
// What a command does not need of these it has through the gateway.
const belowCommands = [
  'gateway', 'config', 'host', 'net', 'acr', 'policy', 'refusal', 'dns', 'tls', 'tags', 'sightings', 'outlook',
  'client-files', 'outbound', 'doctor',
]

/**
 * The layers, and the home of each package: imports go down only. A place is a folder of src; `gateway`, the files
 * beside the folders; or a single file, whose rule then takes the place of its room's.
 */
const rules: Readonly<Record<string, Rule>> = {
  net: { rooms: [], packages: ['lru-cache'], node: 'none' },
  refusal: { rooms: [], node: 'none' },
  acr: { rooms: ['net'], node: 'none' },
  policy: { rooms: ['net', 'acr', 'refusal'], node: 'none' },
  dns: { rooms: ['net'], packages: ['lru-cache'], node: 'no files' },
  tls: { rooms: ['net', 'host'], packages: ['node-forge'], node: 'no files' },
  host: { rooms: [] },
  tags: { rooms: ['net', 'acr', 'host'], packages: ['undici'] },
  relay: { rooms: ['net', 'host'], node: 'no files' },
  telemetry: { rooms: ['net', 'refusal', 'sightings'], packages: ['pino', 'prom-client'], node: 'no files' },
  sightings: { rooms: ['net', 'refusal', 'host'], packages: ['lru-cache', 'zod'] },
  users: { rooms: ['net', 'refusal'], packages: ['bcrypt', 'lru-cache'], node: 'no files' },
  proxy: {
    rooms: ['net', 'policy', 'users', 'dns', 'tls', 'relay', 'telemetry', 'refusal', 'outbound'],
    packages: ['http-proxy-3', 'structured-headers'],
    node: 'no files',
  },
  outlook: { rooms: ['net', 'acr', 'policy', 'dns', 'proxy', 'refusal', 'sightings'], node: 'no files' },
  admin: { rooms: ['telemetry', 'refusal'], packages: ['fastify', 'pino'] },
  config: { rooms: ['net', 'acr', 'host', 'tags', 'tls', 'users'], packages: ['yaml', 'zod'] },
  'client-files': { rooms: ['net', 'acr'], node: 'none' },
  outbound: { rooms: ['net'], node: 'no files' },
  doctor: { rooms: ['net', 'acr', 'policy', 'dns', 'refusal', 'outbound'], node: 'no files' },
  lab: { rooms: ['net', 'tls', 'outbound'] },
  gateway: { rooms: belowGateway, packages: ['pino'] },
  export: { rooms: ['net', 'acr', 'policy'], node: 'none' },
  cli: { rooms: belowCommands },
  'cli/daemon-answers.ts': { rooms: belowCommands, packages: ['zod'] },
  'cli/serve.ts': { rooms: [...belowCommands, 'telemetry/logger.ts'] },
  'cli/export.ts': { rooms: [...belowCommands, 'export'] },
  'cli/demo.ts': { rooms: [...belowCommands, 'telemetry/logger.ts', 'lab'], packages: ['yaml'] },
  'main.ts': { rooms: ['cli', 'host', 'version.ts'] },
}

/** Words that only some files may have. */
const keptWords = [
  { word: /process\.env\b/, files: ['config/load.ts', 'cli/serve.ts', 'cli/doctor.ts', 'proxy/exchange.ts'] },
  { word: /process\.exit\b/, files: ['main.ts'] },
]

const clause = /(?:[\w$]+\s*,\s*)?(?:[\w$]+|\*(?:\s+as\s+[\w$]+)?|\{[^}]*\})/
const statement = new RegExp(`^(?:import|export)\\s+(?:type\\s+)?${clause.source}\\s*from\\s*'([^']+)'`, 'gm')
const sideEffect = /^import\s*'([^']+)'/gm
const dynamic = /\bimport\s*\(\s*(?:'([^']+)'\s*[,)])?/g

/** What a file imports, types too; '' stands for an import of what is only known when it runs. */
function listImports (text: string): string[] {
  return [statement, sideEffect, dynamic].flatMap((form) => [...text.matchAll(form)].map(([, target]) => target ?? ''))
}

/** The room of a file of src. */
function roomOf (file: string): string {
  if (file.includes('/')) return file.split('/')[0] ?? ''
  return file === 'main.ts' ? 'main.ts' : 'gateway'
}

/** The files of a tree, by their paths with `/`, with their texts. */
function readTree (root: string): ReadonlyMap<string, string> {
  const files = readdirSync(root, { recursive: true, encoding: 'utf8' }).filter((file) => file.endsWith('.ts')).sort()
  return new Map(files.map((file) => [file.split(sep).join('/'), readFileSync(join(root, file), 'utf8')]))
}

/** Whatever in a tree is against the layers, each as a line. */
function listViolations (root: string): string[] {
  const tree = readTree(root)
  const violations = [...tree].flatMap(([file, text]) => [
    ...listImports(text).flatMap((target) => judgeImport(root, file, target)),
    ...keptWords
      .filter(({ word, files }) => word.test(text) && !files.includes(file))
      .map(({ word }) => `${file} has ${word.source}`),
  ])
  return [...violations, ...listCycles(root, tree)]
}

function judgeImport (root: string, file: string, target: string): string[] {
  const room = roomOf(file)
  const rule = rules[file] ?? rules[room]
  if (rule === undefined) return [`${file} is in a room without a rule`]
  const isAllowed = target.startsWith('.')
    ? mayImportFile(rule, room, resolveImport(root, file, target))
    : target.startsWith('node:') ? mayImportNode(rule, target) : rule.packages?.includes(target) === true
  return isAllowed ? [] : [`${file} imports ${target === '' ? 'what is not written there' : target}`]
}

function mayImportFile ({ rooms }: Rule, room: string, imported: string): boolean {
  const isOutside = imported.startsWith('../')
  return !isOutside && [roomOf(imported), imported].some((place) => place === room || rooms.includes(place))
}

/** `node:process` is refused to all, so that the words of `process` stand where they are used. */
function mayImportNode ({ node }: Rule, target: string): boolean {
  if (node === 'none' || target === 'node:process') return false
  return node !== 'no files' || !/^node:fs\b/.test(target)
}

function resolveImport (root: string, file: string, target: string): string {
  return relative(root, resolve(root, dirname(file), target)).split(sep).join('/')
}

/** Each file that imports itself over others, with the way there. */
function listCycles (root: string, tree: ReadonlyMap<string, string>): string[] {
  const cycles: string[] = []
  const done = new Set<string>()

  function visit (file: string, way: readonly string[]): void {
    if (way.includes(file)) cycles.push([...way.slice(way.indexOf(file)), file].join(' > '))
    if (way.includes(file) || done.has(file)) return
    const targets = listImports(tree.get(file) ?? '').filter((target) => target.startsWith('.'))
    for (const target of targets) visit(resolveImport(root, file, target), [...way, file])
    done.add(file)
  }

  for (const file of tree.keys()) visit(file, [])
  return cycles
}

const source = fileURLToPath(new URL('../../src', import.meta.url))

t.test('the source keeps to its layers', async (t) => {
  t.same(listViolations(source), [])
})

t.test('the table is about the source: each place is there, and each package is imported', async (t) => {
  const tree = readTree(source)
  const places = new Set([...tree.keys()].flatMap((file) => [roomOf(file), file]))
  for (const place of Object.keys(rules)) t.ok(places.has(place), place)
  const imported = new Set([...tree.values()].flatMap(listImports))
  for (const name of Object.values(rules).flatMap(({ packages = [] }) => packages)) t.ok(imported.has(name), name)
  t.ok(imported.size > 50, `${imported.size} different imports were seen`)
})

t.test('every form of import is seen', async (t) => {
  const text = [
    'import \'./a.ts\'',
    'import b from \'./b.ts\'',
    'import * as c from \'./c.ts\'',
    'import { d } from \'./d.ts\'',
    'import e, { type E } from \'./e.ts\'',
    'import type { F } from \'./f.ts\'',
    'import type * as G from \'./g.ts\'',
    'import {\n  h,\n  type H,\n} from \'./h.ts\'',
    'export { i } from \'./i.ts\'',
    'export * from \'./j.ts\'',
    'export type { K } from \'./k.ts\'',
    'const l = await import(\'./l.ts\')',
    'type M = typeof import(\'./m.ts\')',
    'const n = await import(name)',
    '// import x from \'./no.ts\'',
    'const from = \'./no.ts\'',
    'export const o = from',
  ].join('\n')
  t.same(listImports(text).sort(), ['', ...[...'abcdefghijklm'].map((name) => `./${name}.ts`)])
})

/** What is found in a tree of files with these texts. */
function judgeFixture (t: Test, files: Readonly<Record<string, string>>): string[] {
  const root = t.testdir({})
  for (const [file, text] of Object.entries(files)) {
    mkdirSync(join(root, dirname(file)), { recursive: true })
    writeFileSync(join(root, file), text)
  }
  return listViolations(root)
}

t.test('a room that imports what is not below it is found out', async (t) => {
  const rooms = Object.keys(rules).filter((place) => !place.includes('.') && place !== 'gateway')
  for (const room of rooms) {
    for (const other of rooms.filter((name) => name !== room)) {
      const found = judgeFixture(t, { [`${room}/y.ts`]: `import type { X } from '../${other}/x.ts'\n` })
      const isBelow = rules[room]?.rooms.includes(other)
      t.same(found, isBelow === true ? [] : [`${room}/y.ts imports ../${other}/x.ts`], `${room} to ${other}`)
    }
    const upwards = ['../gateway.ts', '../main.ts'].filter((target) => room !== 'cli' || target !== '../gateway.ts')
    for (const target of upwards) {
      t.same(judgeFixture(t, { [`${room}/y.ts`]: `export * from '${target}'\n` }), [`${room}/y.ts imports ${target}`])
    }
  }
})

t.test('the gateway has the rooms below it, and neither the commands nor the lab', async (t) => {
  for (const room of belowGateway) t.same(judgeFixture(t, { 'gateway.ts': `import { x } from './${room}/x.ts'\n` }), [], room)
  for (const target of ['./cli/serve.ts', './lab/lab.ts', './main.ts']) {
    t.same(judgeFixture(t, { 'gateway.ts': `import { x } from '${target}'\n` }), [`gateway.ts imports ${target}`])
  }
})

t.test('the exceptions hold for their file only, and for no more than they say', async (t) => {
  const logger = 'import { createLogger } from \'../telemetry/logger.ts\'\n'
  const lab = 'import { startLab } from \'../lab/lab.ts\'\n'
  const metrics = 'import { createMetrics } from \'../telemetry/metrics.ts\'\n'
  t.same(judgeFixture(t, { 'cli/serve.ts': logger, 'cli/demo.ts': logger + lab }), [])
  t.same(judgeFixture(t, { 'cli/serve.ts': lab }), ['cli/serve.ts imports ../lab/lab.ts'])
  t.same(judgeFixture(t, { 'cli/check.ts': logger + lab }), [
    'cli/check.ts imports ../telemetry/logger.ts',
    'cli/check.ts imports ../lab/lab.ts',
  ])
  t.same(judgeFixture(t, { 'cli/serve.ts': metrics }), ['cli/serve.ts imports ../telemetry/metrics.ts'])
  t.same(judgeFixture(t, { 'main.ts': 'import { version } from \'./version.ts\'\nimport { createGateway } from \'./gateway.ts\'\n' }), [
    'main.ts imports ./gateway.ts',
  ])
})

t.test('a package away from home, a module of Node in a pure room, and files in the proxy are found out', async (t) => {
  const table: ReadonlyArray<readonly [file: string, target: string]> = [
    ['net/a.ts', 'node:net'], ['acr/a.ts', 'node:fs'], ['policy/a.ts', 'lru-cache'], ['refusal/a.ts', 'node:http'],
    ['proxy/a.ts', 'node:fs'], ['proxy/a.ts', 'node:fs/promises'], ['proxy/a.ts', 'fastify'], ['proxy/a.ts', 'fs'],
    ['relay/a.ts', 'structured-headers'], ['telemetry/a.ts', 'fastify'], ['cli/a.ts', 'prom-client'], ['admin/a.ts', 'prom-client'],
    ['host/a.ts', 'node:process'], ['config/a.ts', 'tap'],
  ]
  for (const [file, target] of table) {
    t.same(judgeFixture(t, { [file]: `import { x } from '${target}'\n` }), [`${file} imports ${target}`])
  }
})

t.test('a test, an import of a name made up at run time, and a room that nobody has heard of are found out', async (t) => {
  const test = '../../test/support/x.ts'
  t.same(judgeFixture(t, { 'cli/a.ts': `import { x } from '${test}'\n` }), [`cli/a.ts imports ${test}`])
  t.same(judgeFixture(t, { 'gateway.ts': 'await import(name)\n' }), ['gateway.ts imports what is not written there'])
  t.same(judgeFixture(t, { 'utils/a.ts': 'import { x } from \'./b.ts\'\n' }), ['utils/a.ts is in a room without a rule'])
})

t.test('a cycle between files is found out, also one of types, and one within a room', async (t) => {
  t.same(judgeFixture(t, {
    'net/a.ts': 'import type { B } from \'./b.ts\'\n',
    'net/b.ts': 'export { c } from \'./c.ts\'\n',
    'net/c.ts': 'import { a } from \'./a.ts\'\n',
    'net/d.ts': 'import { a } from \'./a.ts\'\nimport { b } from \'./b.ts\'\n',
  }), ['net/a.ts > net/b.ts > net/c.ts > net/a.ts'])
})

t.test('the environment and the end of the process have their files', async (t) => {
  t.same(judgeFixture(t, {
    'config/load.ts': 'const a = process.env.A\n',
    'main.ts': 'process.exit(0)\n',
    'cli/serve.ts': 'const { A } = process.env\nprocess.exit(1)\n',
    'net/a.ts': 'process.env.A = \'\'\n',
  }), ['cli/serve.ts has process\\.exit\\b', 'net/a.ts has process\\.env\\b'])
})
