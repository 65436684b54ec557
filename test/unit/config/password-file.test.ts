import { chmod, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { describeConfiguration } from '../../../src/config/effective.ts'
import { type LoadResult, loadConfiguration } from '../../../src/config/load.ts'
import { describePasswordFile, readPasswordFile } from '../../../src/config/password-file.ts'
import { formatProblem } from '../../../src/config/problem.ts'
import { writePasswordLine } from '../../support/password-hashes.ts'

const registries = 'registries: [{loginServer: contoso.azurecr.io, regions: [eastus]}]\n'
const folder = t.testdir({
  'config.yaml': `${registries}listen: {address: 127.0.0.1}\nclients: {passwordFile: passwords}\n`,
  'open.yaml': `${registries}clients: {passwordFile: passwords}\n`,
  'transparent.yaml': `${registries}listen: {address: 127.0.0.1, transparent: true}\nclients: {passwordFile: passwords}\n`,
  'broken.yaml': 'registries: []\nclients: {passwordFile: passwords}\n',
  'state.yaml': `${registries}listen: {address: 127.0.0.1}\nstate: {file: passwords.json}\nclients: {passwordFile: passwords.json}\n`,
})
const passwords = join(folder, 'passwords')
const edge = writePasswordLine('edge', 'p@ss:word', 10)

async function load (text: string, { mode = 0o600, name = 'config.yaml' } = {}): Promise<LoadResult> {
  await writeFile(passwords, text)
  await chmod(passwords, mode)
  return await loadConfiguration({ file: join(folder, name) })
}

function listProblems (result: LoadResult): string[] {
  return result.ok ? [] : result.problems.map((problem) => formatProblem(problem).replace(`${folder}/`, ''))
}

function listWarnings (result: LoadResult): string[] {
  return result.ok ? result.warnings.map((warning) => formatProblem(warning).replace(`${folder}/`, '')) : ['refused']
}

t.test('the users of the file beside the configuration are in force', async (t) => {
  const result = await load(`# devices\n${edge}${edge.replace('edge', 'plant')}`)
  t.same(listWarnings(result), [])
  if (!result.ok) return
  const { passwordFile } = result.configuration.clients
  t.match(passwordFile, { file: passwords, users: { highestCost: 10 } })
  t.same([...passwordFile?.users.passwords.keys() ?? []], ['edge', 'plant'])
  t.match(await load(edge, { mode: 0o640 }), { ok: true }, 'a group may be given the file')
})

t.test('the effective configuration names the file, and holds nothing of it', async (t) => {
  const result = await load(edge)
  const text = result.ok ? JSON.stringify(describeConfiguration(result.configuration)) : ''
  t.match(text, `"passwordFile":"${passwords}"`)
  t.notMatch(text, /\$2[aby]\$|"edge"/)
})

t.test('a file that others may use is refused, whatever they may do with it', async (t) => {
  for (const mode of [0o644, 0o604, 0o602, 0o601]) {
    t.same(listProblems(await load(edge, { mode })), [
      `config.yaml:3:25: clients.passwordFile: others may use the password file; write chmod o= ${passwords}`,
    ])
  }
})

t.test('what is wrong with lines is told by file and line, behind what is wrong with the configuration', async (t) => {
  t.same(listProblems(await load(`${edge}edge:x\nplant:secret\n`, { name: 'broken.yaml' })), [
    'broken.yaml:1:13: registries: the list is empty; write [{loginServer: contoso.azurecr.io, regions: [eastus]}]',
    'passwords:2: the user is given twice, first on line 1; drop one of the two lines',
    'passwords:3: the password is not hashed by bcrypt; make the line with htpasswd -B -C 10 FILE USER',
  ])
  t.match(listProblems(await load('# nobody\n')), [/^passwords: there is no user in the file; make/])
})

t.test('a file that is not there, or none, is refused', async (t) => {
  await rm(passwords, { force: true })
  t.match(listProblems(await loadConfiguration({ file: join(folder, 'config.yaml') })), [
    /^config\.yaml:3:25: clients\.passwordFile: .*passwords does not exist; see that the path is right/,
  ])
  t.match(listProblems(await load('\u0000'.repeat(2 * 1024 * 1024))), [/passwords is longer than 1024 KiB; see/])
})

t.test('the file for what was seen must be another', async (t) => {
  await writeFile(join(folder, 'passwords.json'), edge, { mode: 0o600 })
  t.match(listProblems(await loadConfiguration({ file: join(folder, 'state.yaml') })), [
    /^state\.yaml:3:15: state\.file: is the password file, which the gateway would overwrite; write/,
  ])
})

t.test('passwords in clear text over a network are a warning', async (t) => {
  t.match(listWarnings(await load(edge, { name: 'open.yaml' })), [
    /^open\.yaml:2:25: clients\.passwordFile: user names and passwords come over the network for all to read; write listen\.tls, and/,
  ])
})

t.test('a password that some clients could not send is a warning', async (t) => {
  t.match(listWarnings(await load(edge, { name: 'transparent.yaml' })), [
    /^transparent\.yaml:2:43: listen\.transparent: lets nobody in while passwords are asked for, .*; drop it, or clients\.passwordFile$/,
  ])
})

t.test('hashes that are quick to guess at are a warning', async (t) => {
  t.match(listWarnings(await load(writePasswordLine('edge', 'x', 5))), [
    /^config\.yaml:3:25: clients\.passwordFile: the hash of 1 user would be quick .*; make them with htpasswd -B -C 10$/,
  ])
  const lines = [writePasswordLine('edge', 'x', 5), writePasswordLine('plant', 'x', 9), writePasswordLine('good', 'x', 10)]
  t.match(listWarnings(await load(lines.join(''))), [/the hashes of 2 users would/])
})

t.test('why a file cannot serve is said in one line', async (t) => {
  await writeFile(passwords, 'a:x\nb:x\nc:x\n', { mode: 0o600 })
  const reading = await readPasswordFile(passwords)
  t.notOk(reading.ok)
  if (reading.ok) return
  t.equal(describePasswordFile(reading).replace(`${folder}/`, ''),
    'passwords:1: the password is not hashed by bcrypt; make the line with htpasswd -B -C 10 FILE USER (and 2 more; acr-egress check lists them)')
})
