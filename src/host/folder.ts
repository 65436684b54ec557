import { mkdir } from 'node:fs/promises'
import { dirname } from 'node:path'

/**
 * Makes a folder, and those above it, with these permission bits less the umask; what is there stays as it is. Rejects
 * with the system's error.
 */
// Not by mkdir's `recursive`, which goes on for ever where nothing can be made and nothing is missing, as in /proc.
export async function makeFolder (folder: string, mode: number): Promise<void> {
  const make = async (): Promise<void> => { await mkdir(folder, { mode }) }
  try {
    await make()
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : undefined
    if (code === 'EEXIST') return
    if (code !== 'ENOENT') throw error
    await makeFolder(dirname(folder), mode)
    await make()
  }
}
