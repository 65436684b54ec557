import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import bcrypt from 'bcrypt'
import fc from 'fast-check'
import t from 'tap'
import { type ParsedPasswordFile, parsePasswordFile } from '../../../src/users/password-file.ts'
import { describeMissing } from '../../support/debian-parts.ts'

const run = promisify(execFile)
const hash = '$2y$05$' + 'abcdefghijklmnopqrstuO' + 'abcdefghijklmnopqrstuvwxyz0123O'
const stored = { hash: `$2b$${hash.slice(4)}`, cost: 5 }

function listUsers (parsed: ParsedPasswordFile): string[] {
  return parsed.ok ? [...parsed.users.passwords.keys()] : ['refused']
}

function listProblems (text: string): string[] {
  const parsed = parsePasswordFile(text)
  return parsed.ok ? [] : parsed.problems.map(({ line, message }) => `${line}: ${message}`)
}

t.test('a line has a user and a hash, which is made the one that bcrypt takes', async (t) => {
  for (const form of ['a', 'b', 'y']) {
    const parsed = parsePasswordFile(`edge:${hash.replace('$2y', `$2${form}`)}\n`)
    t.ok(parsed.ok)
    if (!parsed.ok) return
    t.same(parsed.users.passwords.get('edge'), stored)
    t.equal(parsed.users.highestCost, 5)
  }
})

t.test('what is made cannot be changed', async (t) => {
  const parsed = parsePasswordFile(`edge:${hash}`)
  t.ok(parsed.ok && Object.isFrozen(parsed.users) && [...parsed.users.passwords.values()].every(Object.isFrozen))
})

t.test('remarks, blank lines, white space around a line and what follows a second colon are passed over', async (t) => {
  const text = `# devices\n\n  # plant 2:\n \t\n  edge:${hash}  \nplant 1:${hash}:since May\n#${hash}\n__proto__:${hash}`
  t.same(listUsers(parsePasswordFile(text)), ['edge', 'plant 1', '__proto__'])
  t.same(listUsers(parsePasswordFile(text.replaceAll('\n', '\r\n'))), ['edge', 'plant 1', '__proto__'], 'from Windows')
  t.same(listUsers(parsePasswordFile(`müller:${hash}\nMüller:${hash}`)), ['müller', 'Müller'], 'letters of either case')
})

t.test('the highest cost is known, for users that nobody knows', async (t) => {
  const text = ['04', '14', '10'].map((cost, index) => `user${index}:${hash.replace('$05$', `$${cost}$`)}`).join('\n')
  t.match(parsePasswordFile(text), { ok: true, users: { highestCost: 14 } })
})

t.test('all problems come at once, each with its line', async (t) => {
  const md5 = '$apr1$mZ8m1Jlm$QbPHbqLYtlVZyuWNbRSmb0'
  t.same(listProblems(`edge:${hash}\n\nold:${md5}\nplain:secret\nnobody:\n:${hash}\nalone\n`), [
    '3: the password is not hashed by bcrypt; make the line with htpasswd -B -C 10 FILE USER',
    '4: the password is not hashed by bcrypt; make the line with htpasswd -B -C 10 FILE USER',
    '5: the user has no password; make the line with htpasswd -B -C 10 FILE USER',
    '6: there is no user name in front of the colon; make the line with htpasswd -B -C 10 FILE USER',
    '7: the line has no colon; make the line with htpasswd -B -C 10 FILE USER, or put # in front of a remark',
  ])
})

t.test('a user given twice is a mistake, also when one of the two has another', async (t) => {
  t.same(listProblems(`# these\nedge:secret\nother:${hash}\nedge:${hash}`), [
    '2: the password is not hashed by bcrypt; make the line with htpasswd -B -C 10 FILE USER',
    '4: the user is given twice, first on line 2; drop one of the two lines',
  ])
})

t.test('a file without users is a mistake', async (t) => {
  for (const text of ['', '\n', '# nobody\n\n']) {
    t.match(listProblems(text), [/^undefined: there is no user in the file; make .*, or drop clients\.passwordFile/])
  }
})

t.test('a damaged hash is a mistake', async (t) => {
  const damaged = [
    hash.slice(0, -1), `${hash}O`, hash.replace('$05$', '$5$'), hash.replace('$05$', '$03$'), hash.replace('b', '*'),
    // Bits that the base64 of bcrypt has to spare: no bcrypt writes these, so that no password would ever be right.
    hash.replace('tuO', 'tuP'), `${hash.slice(0, -1)}P`,
  ]
  for (const one of damaged) t.match(listProblems(`edge:${one}`), [/^1: the bcrypt hash is damaged; make/], one)
  for (const form of ['$2$', '$2x$']) {
    t.match(listProblems(`edge:${hash.replace('$2y$', form)}`), [/^1: .* known mistake; make/])
  }
})

t.test('a cost that would keep a processor for seconds is a mistake', async (t) => {
  t.match(listProblems(`edge:${hash.replace('$05$', '$15$')}`), [/^1: the cost of the hash is 15, .*; take 14 at most: make/])
  t.match(listProblems(`edge:${hash.replace('$05$', '$99$')}`), [/^1: the cost of the hash is 99/])
  t.same(listProblems(`edge:${hash.replace('$05$', '$14$')}`), [])
})

t.test('a name that no client could send is a mistake', async (t) => {
  t.match(listProblems(`ed\x07ge:${hash}`), [/^1: the user name holds a control character/])
  t.match(listProblems(`ed\tge:${hash}`), [/^1: the user name holds a control character/])
  t.match(listProblems(`${'ü'.repeat(128)}:${hash}`), [/^1: the user name is over 255 bytes; choose/])
  t.same(listProblems(`${'ü'.repeat(127)}:${hash}`), [])
})

t.test('no message repeats anything of the file', async (t) => {
  fc.assert(fc.property(fc.array(fc.string({ minLength: 12, maxLength: 40 })), (lines) => {
    const said = listProblems(lines.join('\n')).join('\n')
    return lines.every((line) => line.trim().length < 12 || !said.includes(line.trim()))
  }))
})

t.test('what htpasswd -B writes is read', { skip: describeMissing(['htpasswd']) }, async (t) => {
  const file = `${t.testdir({})}/passwords`
  await run('htpasswd', ['-cbB', '-C', '4', file, 'edge', 'p@ss:word'])
  await run('htpasswd', ['-bB', file, 'plänt', 'naïve'])
  const { stdout } = await run('cat', [file])
  const parsed = parsePasswordFile(stdout)
  t.same(listUsers(parsed), ['edge', 'plänt'])
  if (!parsed.ok) return
  t.equal(parsed.users.highestCost, 5, 'the default of htpasswd')
  const { passwords } = parsed.users
  t.ok(await bcrypt.compare('p@ss:word', passwords.get('edge')?.hash ?? ''))
  t.ok(await bcrypt.compare('naïve', passwords.get('plänt')?.hash ?? ''))
  t.notOk(await bcrypt.compare('naive', passwords.get('plänt')?.hash ?? ''))
  const { stdout: md5 } = await run('htpasswd', ['-nbm', 'edge', 'x'])
  t.match(listProblems(md5), [/^1: the password is not hashed by bcrypt; make/])
})
