import { setImmediate } from 'node:timers/promises'
import t from 'tap'
import { type Address, parseAddress } from '../../../src/net/address.ts'
import { type Compare, loadComparison } from '../../../src/users/bcrypt-comparison.ts'
import { type PasswordCheck, type UserDecision, createPasswordCheck } from '../../../src/users/password-check.ts'
import { type Users, parsePasswordFile } from '../../../src/users/password-file.ts'
import { writeBasic, writePasswordLine } from '../../support/password-hashes.ts'

const compareReally = await loadComparison()
const here = parse('10.0.0.7')
const there = parse('10.0.0.8')

function parse (text: string): Address {
  const address = parseAddress(text)
  if (address === undefined) throw new TypeError(text)
  return address
}

function readUsers (...lines: readonly string[]): Users {
  const parsed = parsePasswordFile(lines.join(''))
  if (!parsed.ok) throw new TypeError(parsed.problems[0]?.message)
  return parsed.users
}

const edge = writePasswordLine('edge', 'p@ss:word')

interface Checked {
  readonly check: PasswordCheck
  /** The hashes that bcrypt was asked for. */
  readonly runs: string[]
  users: Users
  time: number
}

/** A check over real bcrypt, which counts how often that runs. */
function createChecked (users = readUsers(edge), compare: Compare = compareReally): Checked {
  const runs: string[] = []
  const checked = { users, time: 5000, runs }
  const check = createPasswordCheck({
    users: () => checked.users,
    now: () => checked.time,
    compare: async (password, hash) => {
      runs.push(hash)
      return await compare(password, hash)
    },
  })
  return Object.assign(checked, { check })
}

/** The reason, or the user. */
function say (decision: UserDecision): string {
  return decision.allow ? decision.user : decision.refusal.reason
}

t.test('the right password lets in, and is paid for once', async (t) => {
  const { check, runs } = createChecked()
  for (let tunnel = 0; tunnel < 3; tunnel++) {
    t.same(await check.decide(here, writeBasic('edge', 'p@ss:word')), { allow: true, user: 'edge' })
  }
  t.same(await check.decide(there, writeBasic('edge', 'p@ss:word')), { allow: true, user: 'edge' })
  t.equal(runs.length, 1)
})

t.test('nothing, something else and the wrong thing are refused, each in its words', async (t) => {
  const { check, runs } = createChecked()
  t.match(await check.decide(here, undefined), { allow: false, refusal: { reason: 'proxy_auth_required', hint: /percent-encoded/ } })
  t.match(await check.decide(here, 'Negotiate abc'), {
    allow: false, refusal: { reason: 'proxy_auth_failed', detail: 'the gateway takes Basic credentials only' },
  })
  t.equal(runs.length, 0)
  const wrong = await check.decide(here, writeBasic('edge', 'p@ss:wore'))
  t.match(wrong, { allow: false, refusal: { reason: 'proxy_auth_failed', detail: 'the user name or password is wrong' } })
  t.same(await check.decide(here, writeBasic('nobody', 'p@ss:word')), wrong, 'the same of a user that nobody knows')
  t.same(await check.decide(here, writeBasic('Edge', 'p@ss:word')), wrong)
  t.same(await check.decide(here, writeBasic('', '')), wrong)
  t.same(await check.decide(here, writeBasic('__proto__', 'x')), wrong)
})

t.test('a password that bcrypt would cut is refused, also when its beginning is right', async (t) => {
  const longest = 'é'.repeat(36)
  const { check, runs } = createChecked(readUsers(writePasswordLine('edge', longest)))
  t.match(await check.decide(here, writeBasic('edge', `${longest}x`)), {
    allow: false, refusal: { reason: 'proxy_auth_failed', detail: 'the password is over 72 bytes' },
  })
  t.equal(runs.length, 0)
  t.equal(say(await check.decide(here, writeBasic('edge', longest))), 'edge')
})

t.test('every wrong password takes the same rounds, whoever the user is', async (t) => {
  const costs = [4, 6, 7]
  const users = readUsers(...costs.map((cost) => writePasswordLine(`user${cost}`, 'right', cost)))
  for (const name of ['user4', 'user6', 'user7', 'nobody', '']) {
    const { check, runs } = createChecked(users)
    t.equal(say(await check.decide(here, writeBasic(name, 'wrong'))), 'proxy_auth_failed')
    const rounds = runs.map((hash) => 2 ** Number(hash.slice(4, 6))).reduce((sum, one) => sum + one, 0)
    t.equal(rounds, 2 ** 7, `for ${name}: ${runs.map((hash) => hash.slice(0, 7)).join(' ')}`)
  }
})

t.test('bcrypt does run for a user that nobody knows', async (t) => {
  // By processor time, which other programs do not take: 2^10 rounds have some 50 ms, nothing at all has none.
  const { check } = createChecked(readUsers(writePasswordLine('edge', 'right', 10)))
  const before = process.cpuUsage()
  await check.decide(here, writeBasic('nobody', 'wrong'))
  const { user } = process.cpuUsage(before)
  const beforeWrong = process.cpuUsage()
  await check.decide(here, writeBasic('edge', 'wrong'))
  const wrong = process.cpuUsage(beforeWrong).user
  t.ok(user > wrong / 3 && user < wrong * 3, `${user} µs for nobody, ${wrong} µs for a wrong password`)
})

t.test('a password is forgotten some minutes after it was used, and no sooner', async (t) => {
  const checked = createChecked()
  const enter = async (): Promise<string> => say(await checked.check.decide(here, writeBasic('edge', 'p@ss:word')))
  await enter()
  for (let use = 0; use < 3; use++) {
    checked.time += 599_000
    t.equal(await enter(), 'edge')
  }
  t.equal(checked.runs.length, 1, 'each use counts from there')
  checked.time += 600_001
  t.equal(await enter(), 'edge')
  t.equal(checked.runs.length, 2)
})

t.test('with another hash in the file, or none, what was right is so no more', async (t) => {
  const checked = createChecked(readUsers(edge, writePasswordLine('other', 'p@ss:word')))
  const enter = async (user: string): Promise<string> => say(await checked.check.decide(here, writeBasic(user, 'p@ss:word')))
  t.equal(await enter('edge'), 'edge')
  t.equal(await enter('other'), 'other')
  checked.users = readUsers(writePasswordLine('edge', 'new'), writePasswordLine('more', 'p@ss:word'))
  t.equal(await enter('edge'), 'proxy_auth_failed')
  t.equal(await enter('other'), 'proxy_auth_failed')
  t.equal(await enter('more'), 'more')
  checked.users = readUsers(edge)
  t.equal(await enter('edge'), 'edge')
})

t.test('what is asked for at the same time is checked once, right or wrong', async (t) => {
  const { check, runs } = createChecked()
  const ask = async (password: string): Promise<string[]> => {
    const decisions = Array.from({ length: 30 }, () => check.decide(here, writeBasic('edge', password)))
    return [...new Set((await Promise.all(decisions)).map(say))]
  }
  t.same(await ask('p@ss:word'), ['edge'])
  t.equal(runs.length, 1)
  t.same(await ask('wrong'), ['proxy_auth_failed'])
  t.equal(runs.length, 2)
  t.equal(say(await check.decide(here, writeBasic('edge', 'wrong again'))), 'proxy_auth_failed', 'and is one failure')
})

t.test('who waits while the same is found right elsewhere has it for nothing', async (t) => {
  const { check, runs } = createChecked()
  const addresses = Array.from({ length: 50 }, (_none, index) => parse(`10.1.0.${index}`))
  const decisions = await Promise.all(addresses.map((address) => check.decide(address, writeBasic('edge', 'p@ss:word'))))
  t.same([...new Set(decisions.map(say))], ['edge'])
  t.equal(runs.length, 2, 'two were at work at once')
})

/** Fails from an address until it is told to wait. */
async function exhaust ({ check }: Checked, address: Address): Promise<UserDecision> {
  for (let attempt = 0; attempt < 100; attempt++) {
    const decision = await check.decide(address, writeBasic('edge', `wrong ${attempt}`))
    if (say(decision) === 'proxy_auth_limited') return decision
  }
  throw new RangeError('it was never told to wait')
}

t.test('an address that fails too often has to wait, and is told how long', async (t) => {
  const checked = createChecked()
  const { check, runs } = checked
  t.match(await exhaust(checked, here), {
    allow: false,
    refusal: { reason: 'proxy_auth_limited', detail: 'too many wrong passwords from 10.0.0.7', retryAfterSeconds: 3 },
  })
  t.equal(runs.length, 20)
  t.equal(say(await check.decide(here, writeBasic('edge', 'p@ss:word'))), 'proxy_auth_limited', 'right or wrong: it is not looked at')
  t.equal(say(await check.decide(here, 'Basic ?')), 'proxy_auth_limited')
  t.equal(runs.length, 20, 'without bcrypt')
  t.equal(say(await check.decide(here, undefined)), 'proxy_auth_required', 'to ask without credentials is no failure')
  checked.time += 3000
  t.equal(say(await check.decide(here, writeBasic('edge', 'p@ss:word'))), 'edge')
})

t.test('asking without credentials is never counted', async (t) => {
  const { check } = createChecked()
  for (let attempt = 0; attempt < 100; attempt++) await check.decide(here, undefined)
  t.equal(say(await check.decide(here, writeBasic('edge', 'p@ss:word'))), 'edge')
})

t.test('credentials that cannot be understood are counted', async (t) => {
  const { check } = createChecked()
  for (let attempt = 0; attempt < 20; attempt++) t.equal(say(await check.decide(here, 'Basic ?')), 'proxy_auth_failed')
  t.equal(say(await check.decide(here, 'Basic ?')), 'proxy_auth_limited')
})

t.test('another address is let in meanwhile, for the same user too', async (t) => {
  const checked = createChecked()
  await exhaust(checked, here)
  t.equal(say(await checked.check.decide(there, writeBasic('edge', 'p@ss:word'))), 'edge')
})

t.test('who was let in stays in, whatever others do at the same address', async (t) => {
  const checked = createChecked()
  const { check } = checked
  t.equal(say(await check.decide(here, writeBasic('edge', 'p@ss:word'))), 'edge')
  await exhaust(checked, here)
  t.equal(say(await check.decide(here, writeBasic('edge', 'p@ss:word'))), 'edge')
})

t.test('an address that has to wait learns nothing by what others are known for', async (t) => {
  const checked = createChecked()
  t.equal(say(await checked.check.decide(there, writeBasic('edge', 'p@ss:word'))), 'edge')
  await exhaust(checked, here)
  t.equal(say(await checked.check.decide(here, writeBasic('edge', 'p@ss:word'))), 'proxy_auth_limited')
  checked.time += 3000
  t.equal(say(await checked.check.decide(here, writeBasic('edge', 'p@ss:word'))), 'edge')
  t.equal(checked.runs.length, 21, 'known elsewhere, it is paid for no more')
})

t.test('what is known elsewhere does not stand in the line', async (t) => {
  const { compare, waiting, endOne } = createSlowCompare()
  const { check } = createChecked(readUsers(edge), compare)
  const first = check.decide(there, writeBasic('edge', 'p@ss:word'))
  await endOne()
  t.equal(say(await first), 'edge')
  const wrong = ['10.0.1.1', '10.0.1.2', '10.0.0.7'].map((text) => check.decide(parse(text), writeBasic('edge', 'wrong')))
  t.equal(say(await check.decide(here, writeBasic('edge', 'p@ss:word'))), 'edge')
  while (waiting.length > 0) await endOne()
  t.same((await Promise.all(wrong)).map(say), Array(3).fill('proxy_auth_failed'))
})

t.test('the addresses of one IPv6 subnet are one', async (t) => {
  const checked = createChecked()
  await exhaust(checked, parse('2001:db8::1'))
  t.equal(say(await checked.check.decide(parse('2001:db8::ffff:2'), writeBasic('edge', 'p@ss:word'))), 'proxy_auth_limited')
  t.equal(say(await checked.check.decide(parse('2001:db8:0:1::1'), writeBasic('edge', 'p@ss:word'))), 'edge')
})

/** A comparison that ends when it is told to. */
function createSlowCompare () {
  const waiting: Array<() => void> = []
  const compare: Compare = async (password) => {
    await new Promise<void>((resolve) => { waiting.push(resolve) })
    return password === 'p@ss:word'
  }
  return {
    waiting,
    compare,
    async endOne (): Promise<void> {
      waiting.shift()?.()
      await setImmediate()
    },
  }
}

t.test('an address that floods keeps nobody out: the others come next', async (t) => {
  const { compare, waiting, endOne } = createSlowCompare()
  const { check, runs } = createChecked(readUsers(edge), compare)
  const flood = Array.from({ length: 200 }, (_none, index) => check.decide(here, writeBasic('edge', `wrong ${index}`)))
  const other = check.decide(there, writeBasic('edge', 'p@ss:word'))
  await setImmediate()
  t.equal(waiting.length, 2, 'one for the address that floods, and one for the other')
  waiting.pop()?.()
  t.equal(say(await other), 'edge')
  while (waiting.length > 0) await endOne()
  const reasons = (await Promise.all(flood)).map(say)
  t.equal(reasons.filter((reason) => reason === 'proxy_auth_failed').length, 17, 'one was at work, and sixteen waited')
  t.equal(reasons.filter((reason) => reason === 'proxy_auth_limited').length, 183)
  t.equal(runs.length, 17 + 1)
})

t.test('what fails while it waits costs no bcrypt: the limit is looked at again', async (t) => {
  const { compare, waiting, endOne } = createSlowCompare()
  const { check, runs } = createChecked(readUsers(edge), compare)
  const flood: Array<Promise<UserDecision>> = []
  for (const round of [1, 2]) {
    for (let index = 0; index < 17; index++) flood.push(check.decide(here, writeBasic('edge', `wrong ${round} ${index}`)))
    if (round === 1) while (waiting.length > 0) await endOne()
  }
  await setImmediate()
  while (waiting.length > 0) await endOne()
  t.same((await Promise.all(flood)).map(say).filter((reason) => reason === 'proxy_auth_failed').length, 20)
  t.equal(runs.length, 20)
})

t.test('two are checked at a time, and only so many wait', async (t) => {
  const { compare, waiting, endOne } = createSlowCompare()
  const { check } = createChecked(readUsers(edge), compare)
  const many = Array.from({ length: 1100 }, (_none, index) => {
    return check.decide(parse(`10.2.${index >> 8}.${index & 255}`), writeBasic('edge', 'wrong'))
  })
  await setImmediate()
  t.equal(waiting.length, 2)
  t.match(await many.at(-1), {
    allow: false, refusal: { reason: 'proxy_auth_limited', detail: 'too many passwords wait to be checked', retryAfterSeconds: 15 },
  })
  while (waiting.length > 0) await endOne()
  t.equal((await Promise.all(many)).map(say).filter((reason) => reason === 'proxy_auth_failed').length, 1026)
})

t.test('who gives up waiting is answered, and nothing is checked for nobody', async (t) => {
  const { compare, waiting, endOne } = createSlowCompare()
  const { check, runs } = createChecked(readUsers(edge), compare)
  const first = check.decide(here, writeBasic('edge', 'wrong'))
  const gone = new AbortController()
  const second = check.decide(here, writeBasic('edge', 'also wrong'), gone.signal)
  const [left, stays] = [new AbortController(), new AbortController()]
  const third = [left, stays].map(({ signal }) => check.decide(here, writeBasic('edge', 'p@ss:word'), signal))
  gone.abort()
  left.abort()
  t.equal(say(await second), 'proxy_auth_limited')
  t.equal(say(await third[0] ?? await first), 'proxy_auth_limited')
  await endOne()
  t.equal(say(await first), 'proxy_auth_failed')
  await endOne()
  t.equal(say(await third[1] ?? await first), 'edge', 'the one of the two who waits has it')
  t.equal(waiting.length, 0)
  t.equal(runs.length, 2)
})

t.test('after the end nothing is checked any more', async (t) => {
  const { compare, endOne } = createSlowCompare()
  const { check, runs } = createChecked(readUsers(edge), compare)
  const first = check.decide(here, writeBasic('edge', 'wrong'))
  const second = check.decide(here, writeBasic('edge', 'p@ss:word'))
  check.close()
  await endOne()
  t.same([say(await first), say(await second)], ['proxy_auth_failed', 'proxy_auth_limited'])
  t.equal(say(await check.decide(there, writeBasic('edge', 'p@ss:word'))), 'proxy_auth_limited')
  t.equal(runs.length, 1)
})

t.test('when bcrypt itself fails nobody is let in, and the next one is checked', async (t) => {
  let isBroken = true
  const { check } = createChecked(readUsers(edge), async (password, hash) => {
    if (isBroken) throw new TypeError('no memory')
    return await compareReally(password, hash)
  })
  await t.rejects(check.decide(here, writeBasic('edge', 'p@ss:word')), { message: 'no memory' })
  isBroken = false
  t.equal(say(await check.decide(here, writeBasic('edge', 'p@ss:word'))), 'edge')
})
