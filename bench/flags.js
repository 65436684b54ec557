/** What `npm run bench -- FLAGS` may be told. */
import { accessSync, constants } from 'node:fs'
import { parseArgs } from 'node:util'
import { groups } from './plan.js'

export const usage = `npm run bench -- [--quick] [--only GROUPS] [--peers NAMES] [--repeats N] [--tags FILE] [--out DIR]

  --quick         small sizes, one repeat, no drift check: shows in a minute or two that everything runs
  --only GROUPS   some of ${groups.join(',')}
  --peers NAMES   only peers whose names begin so, any case, commas inside a name left out:
                  --peers 'gateway splice,squid'. The references (direct, C loop splice) stay where they belong.
  --repeats N     interleaved repeats, 1 to 99 (5; with --quick 1)
  --tags FILE     Microsoft's file of service tags, for lookups (a made one of its size)
  --out DIR       where the results go (bench/results)
  --help          this
`

/** A wish that cannot be met; its message says what to write. */
export class FlagError extends Error {}

const options = {
  quick: { type: 'boolean', default: false },
  only: { type: 'string' },
  peers: { type: 'string' },
  repeats: { type: 'string' },
  tags: { type: 'string' },
  out: { type: 'string' },
  help: { type: 'boolean', default: false },
}

/** The flags, checked; throws a `FlagError`. */
export function readFlags (args, peers) {
  const { quick, help, only, peers: names, repeats, tags, out } = parse(args)
  return {
    isQuick: quick,
    wantsHelp: help,
    only: only === undefined ? undefined : readGroups(only),
    peers: names === undefined ? peers : choosePeers(names, peers),
    repeats: repeats === undefined ? undefined : readCount(repeats),
    tags: tags === undefined ? undefined : checkFile(tags),
    out: out === '' ? fail('--out needs a directory, as in --out results') : out,
  }
}

function parse (args) {
  try {
    return parseArgs({ args, options }).values
  } catch (error) {
    return fail(error.message.split('. ', 1)[0])
  }
}

function fail (message) {
  throw new FlagError(message)
}

function split (list) {
  return list.split(',').map((part) => part.trim()).filter((part) => part !== '')
}

function readGroups (list) {
  const parts = split(list)
  const wrong = parts.find((part) => !groups.includes(part))
  if (parts.length === 0 || wrong !== undefined) {
    fail(`--only ${list}: ${wrong === undefined ? 'nothing is named' : `there is no ${wrong}`}; write some of ${groups.join(',')}`)
  }
  return parts
}

/** A name as it is written in a list that commas divide. */
function plainName (name) {
  return name.toLowerCase().replaceAll(',', '')
}

function choosePeers (list, peers) {
  const parts = split(list).map(plainName)
  const hasName = (part) => (peer) => plainName(peer.name).startsWith(part)
  const wrong = parts.find((part) => !peers.some(hasName(part)))
  if (parts.length === 0 || wrong !== undefined) {
    const known = peers.map((peer) => plainName(peer.name)).join(', ')
    fail(`--peers: ${wrong === undefined ? 'nobody is named' : `no peer begins with "${wrong}"`}; they are: ${known}`)
  }
  return peers.filter((peer) => parts.some((part) => hasName(part)(peer)))
}

function checkFile (file) {
  try {
    accessSync(file, constants.R_OK)
  } catch {
    fail(`--tags ${file}: there is no such file, or it cannot be read`)
  }
  return file
}

function readCount (text) {
  if (!/^[1-9][0-9]?$/.test(text)) fail(`--repeats ${text}: write a number from 1 to 99`)
  return Number(text)
}
