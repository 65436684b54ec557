import { resolve } from 'node:path'
import type { TlsRemark } from '../tls/remark.ts'
import { type TlsFileNames, type TlsFiles, readTlsFiles } from '../tls/tls-files.ts'
import { type Finding, escapeControls } from './problem.ts'
import { tlsSchema } from './schema.ts'
import { type Settings, isMapping } from './settings.ts'

export interface LoadedTlsFiles {
  /** Absent unless a certificate and its key are named, and all that is named is good. */
  readonly files?: TlsFiles
  readonly problems: readonly Finding[]
  readonly warnings: readonly Finding[]
}

/**
 * Reads the files that `listen.tls` names, each when it is named as it should be, whatever else is wrong. Relative
 * paths begin at the folder; `now` is for the dates of certificates. Never rejects.
 */
export async function loadTlsFiles ({ value }: Settings, folder: string, now: () => number): Promise<LoadedTlsFiles> {
  const listen = isMapping(value) ? value.listen : undefined
  const tls = isMapping(listen) ? listen.tls : undefined
  if (!isMapping(tls)) return { problems: [], warnings: [] }
  const { files, ...remarks } = await readTlsFiles(readNames(tls, folder), now())
  const problems = [...remarks.problems.map(toFinding), ...listMisuses(tls)]
  return { ...files === undefined ? {} : { files }, problems, warnings: remarks.warnings.map(toFinding) }
}

type Section = Readonly<Record<string, unknown>>

function readNames (tls: Section, folder: string): TlsFileNames {
  const { furtherCertificates: further, clientCaFile, clientCrlFile } = tls
  const pairs = [tls, ...Array.isArray(further) ? further as unknown[] : []]
  const { shape } = tlsSchema
  const locate = (named: string | undefined) => named === undefined ? undefined : resolve(folder, named)
  return {
    pairs: pairs.map((pair) => {
      const { certFile, keyFile }: Section = isMapping(pair) ? pair : {}
      return {
        certFile: locate(shape.certFile.safeParse(certFile).data),
        keyFile: locate(shape.keyFile.safeParse(keyFile).data),
      }
    }),
    clientCaFile: locate(shape.clientCaFile.safeParse(clientCaFile).data),
    clientCrlFile: locate(shape.clientCrlFile.safeParse(clientCrlFile).data),
  }
}

function toFinding ({ path, message }: TlsRemark): Finding {
  return { path: ['listen', 'tls', ...path], message: escapeControls(message) }
}

function listMisuses ({ clientCaFile, clientCrlFile }: Section): Finding[] {
  if (clientCrlFile === undefined || clientCaFile !== undefined) return []
  return [{
    path: ['listen', 'tls', 'clientCrlFile'],
    isKey: true,
    message: 'has no effect without the authority whose list it is; write clientCaFile: FILE, or drop the key',
  }]
}
