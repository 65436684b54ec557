import { accessSync, constants } from 'node:fs'
import { delimiter, join } from 'node:path'

/** The path of a program that a Debian package brings. */
export function findProgram (name: string): string | undefined {
  // Daemons are in directories that a user's PATH need not have.
  const folders = [...(process.env['PATH'] ?? '').split(delimiter), '/usr/sbin', '/sbin']
  return folders.map((folder) => join(folder, name)).find(isExecutable)
}

/**
 * For `t.test(name, { skip: describeMissing(['skopeo']) }, …)`: a test whose real parts are missing is left out, and
 * says which and what to do. CI installs them all, and fails on a left-out test.
 */
export function describeMissing (names: readonly string[]): string | false {
  const missing = names.filter((name) => findProgram(name) === undefined)
  return missing.length === 0 ? false : `needs ${missing.join(', ')}: apt-get install ${missing.join(' ')}`
}

function isExecutable (file: string): boolean {
  try {
    accessSync(file, constants.X_OK)
    return true
  } catch {
    return false
  }
}
