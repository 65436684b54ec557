import type { ProxyUrl } from '../net/proxy-url.ts'

/** What all files of a client are made from. */
export interface ClientRequest {
  readonly proxy: ProxyUrl
  /** For `NO_PROXY`, what is local among them. */
  readonly noProxy: readonly string[]
  /** The authority of the gateway's certificate, which the client is to trust; PEM. */
  readonly authorityPem?: string
  /** A login server to try it with. */
  readonly loginServer: string
}

/** How a file comes together with one that is there already. */
export type Merging =
  /** It is ours alone. */
  | { readonly kind: 'whole' }
  /** Its keys are put among the others, also those of maps in it. */
  | { readonly kind: 'json', readonly value: JsonMap }
  /** Its entries are put into a table of a file that somebody else makes; without that file there is none to make. */
  | { readonly kind: 'toml', readonly table: string, readonly entries: readonly Entry[] }
  /** Lines of NAME=VALUE. */
  | { readonly kind: 'environment', readonly entries: readonly Entry[] }

/** A value of JSON whose like is merged. */
export interface JsonMap { readonly [key: string]: string | JsonMap }

export interface Entry {
  readonly key: string
  readonly value: string
  /** Further values that may stay where they stand. */
  readonly others?: readonly string[]
}

/** A file as it is on a client. */
export interface ClientFile {
  /** Absolute. */
  readonly path: string
  /** What the file is when there is none yet; for a table of TOML, the lines to add. */
  readonly content: string
  readonly merging: Merging
  /** Permission bits of a new file. */
  readonly mode: number
  /** Which of several files that do the same this one is; absent when it is needed in any case. */
  readonly choice?: { readonly name: 'daemon.json' | 'drop-in', readonly when: string }
}

/** A command to run on the client, and what it is to show. */
export interface Step {
  readonly command: string
  readonly expect?: string
}

/** All that a client needs to find the gateway. */
export interface ClientSetup {
  readonly files: readonly ClientFile[]
  /** In order, when the files are there. */
  readonly steps: readonly Step[]
  /** What a person must know besides; whole sentences. */
  readonly notes: readonly string[]
}
