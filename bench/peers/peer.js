/**
 * A program that is compared.
 *
 * `command` gets where to listen, where the source is and a folder of its own, writes what configuration it needs, and
 * returns the command. `target` is the authority to ask for in a CONNECT, and is left out by relays that have no
 * CONNECT: they are measured from the 200 on. `missing` says what keeps it from running here, `version` what runs.
 * `splices` is set on those that do not copy, and carry more in the same time. `part` is set on those that are measured
 * by themselves: of `lookups`, which are no programs, `candidate` says which one; those of `names` have a name
 * server beside them, and the `state` that the names are brought into; those of `tls` speak TLS with their clients,
 * those of `server-name` are measured with a ClientHello in each tunnel, and for those of `parent` the source is a
 * parent proxy.
 *
 * @typedef {{ address: string, port: number }} Place
 * @typedef {{ listen: Place, source: Place, nameServer?: Place, folder: string,
 *   tls?: { certFile: string, keyFile: string }, serverName?: string, upstreamProxy?: object,
 *   hasParent?: boolean }} Setting
 * @typedef {{
 *   name: string, splices?: boolean, missing: () => string | undefined, version: () => string,
 *   command: (setting: Setting) => string[], target?: (source: Place) => string, part?: string, candidate?: string,
 *   state?: object, program?: string,
 * }} Peer
 */
import { spawnSync } from 'node:child_process'
import { accessSync, constants, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { searchPath } from '../processes.js'

/** The path of a program, where there is one. */
export function findProgram (name) {
  return searchPath.split(':').map((folder) => join(folder, name)).find((path) => {
    try {
      accessSync(path, constants.X_OK)
      return true
    } catch {
      return false
    }
  })
}

/** Why a peer that is one program is left out. */
export function missingProgram (name, debianPackage) {
  return findProgram(name) === undefined ? `${name} is not installed (Debian: ${debianPackage})` : undefined
}

/** The first line of what a program says about itself, or the first that begins with its name. */
export function readVersion (program, ...args) {
  const { stdout, stderr } = spawnSync(findProgram(program) ?? program, args, { encoding: 'utf8', timeout: 10_000 })
  const lines = `${stdout ?? ''}${stderr ?? ''}`.trim().split('\n')
  return lines.find((line) => line.startsWith(`${program} `)) ?? lines[0]
}

/** Writes a file of a peer; returns its path. */
export function writeConfig (folder, name, lines) {
  const path = join(folder, name)
  writeFileSync(path, `${lines.join('\n')}\n`)
  return path
}

export function authorityOf ({ address, port }) {
  return `${address}:${port}`
}
