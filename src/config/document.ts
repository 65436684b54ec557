import {
  type Document, type ErrorCode, type Node, type Pair, type YAMLMap, LineCounter, Scalar, isAlias, isMap, isNode,
  isPair, isScalar, isSeq, parseDocument, visit,
} from 'yaml'
import { type Path, type Place, type Problem, formatPath, quote } from './problem.ts'
import { type Settings, isMapping, unreadSettings } from './settings.ts'

/** The settings of a file as far as they can be told, and what is wrong with the text. */
export interface ParsedDocument {
  readonly settings: Settings
  readonly problems: readonly Problem[]
}

/** Reads the text of a configuration file: YAML 1.2, one document, a map at the top. `file` is for messages. */
export function parseSettings (text: string, file: string): ParsedDocument {
  const lines = new LineCounter()
  const document = parseDocument(text, {
    lineCounter: lines,
    prettyErrors: false,
    // Whatever a %YAML directive says.
    schema: 'core',
    merge: false,
    resolveKnownTags: false,
    // Found below, with the line of the first.
    uniqueKeys: false,
    logLevel: 'error',
  })
  const placeOf = (offset: number): Place => {
    const { line, col } = lines.linePos(offset)
    return { file, line, column: col }
  }
  const describe = ([offset, message]: Mistake): Problem => ({ place: placeOf(offset), key: '', message })
  const mistakes = listSyntaxMistakes(document)
  // After the first of these the tree is guesswork, and so would anything else be that is said of it.
  if (mistakes.length > 0) return { settings: unreadSettings, problems: mistakes.map(describe) }
  const { mistakes: unwanted, gaps } = takeOutUnwanted(document, placeOf)
  const problems = unwanted.map(describe)
  const value: unknown = document.toJS()
  if (!isMapping(value)) {
    return { settings: unreadSettings, problems: [...problems, describe(describeTop(value, document))] }
  }
  const locate: Settings['locate'] = (path, isKey = false) => {
    const offset = findOffset(document.contents, path, isKey)
    return gaps.has(offset) ? undefined : { place: placeOf(offset), key: formatPath(path) }
  }
  return { settings: { value, locate }, problems }
}

type PlaceOf = (offset: number) => Place

/** What is wrong at an offset of the text. */
type Mistake = readonly [offset: number, message: string]

/** What is not YAML, each place once. */
function listSyntaxMistakes (document: Document.Parsed): readonly Mistake[] {
  const found = new Map<number, string>()
  for (const { code, pos, message } of [...document.errors, ...document.warnings]) {
    const advice = syntaxAdvice[code] ?? `this is not YAML (${quote(message)}); compare the line with config/example.yaml`
    if (!found.has(pos[0])) found.set(pos[0], advice)
  }
  return [...found]
}

const quoteIt = 'put the text in quotes'

/** What is wrong and what to write, for the errors of the YAML parser that a hand is likely to make. */
const syntaxAdvice: Partial<Record<ErrorCode, string>> = {
  ALIAS_PROPS: `* begins an alias in YAML; ${quoteIt}`,
  BAD_ALIAS: `* begins an alias in YAML; ${quoteIt}`,
  BAD_COLLECTION_TYPE: 'a tag (!) does not fit its value; drop the tag',
  BAD_DIRECTIVE: '% begins a directive in YAML; drop the line, or put the text in quotes',
  BAD_DQ_ESCAPE: '\\ begins an escape inside "quotes"; write it twice, or use \'quotes\'',
  BAD_INDENT: 'the indentation fits nothing above it, or a bracket is not closed; indent the keys of one map alike, with spaces, and close every bracket',
  BAD_PROP_ORDER: `& and ! begin an anchor and a tag in YAML; ${quoteIt}`,
  BAD_SCALAR_START: `a text cannot begin with this character in YAML; ${quoteIt}`,
  BLOCK_AS_IMPLICIT_KEY: 'a text ends with a colon or holds one before a space, which makes it a key; put the text in quotes, or begin a new line for the key',
  BLOCK_IN_FLOW: 'a list or map of several lines stands inside brackets; write it with brackets, or without the outer ones',
  KEY_OVER_1024_CHARS: 'this key is far too long; see that its colon is where it should be',
  MISSING_CHAR: `something is missing here: a colon behind a key, a comma, or a closing quote or bracket; write it, or ${quoteIt}`,
  MULTILINE_IMPLICIT_KEY: 'a key goes over several lines, or its colon is missing; write KEY: VALUE on one line',
  MULTIPLE_ANCHORS: `& begins an anchor in YAML; ${quoteIt}`,
  MULTIPLE_DOCS: 'a second document begins here; drop it and the line ---',
  MULTIPLE_TAGS: `! begins a tag in YAML; ${quoteIt}`,
  NON_STRING_KEY: `a key must be a text; ${quoteIt}`,
  RESOURCE_EXHAUSTION: 'lists and maps are nested too deeply here; compare the file with config/example.yaml',
  TAB_AS_INDENT: 'a tab stands where the line is indented; write spaces',
  TAG_RESOLVE_FAILED: '! begins a tag in YAML, and tags have no meaning here; drop it, or put the text in quotes',
  UNEXPECTED_TOKEN: `this does not follow from what is before it; ${quoteIt} if brackets, # or quotes are part of it, else begin a new line`,
}

/**
 * Takes out of the tree, and lists, what is YAML but has no place in a configuration, so that the rest can be checked.
 * Aliases: whoever reads an allowlist should see what it opens where it opens it. Keys that are lists, maps or nothing,
 * keys given before, and the one key that is no ordinary one in JavaScript.
 */
function takeOutUnwanted (document: Document.Parsed, placeOf: PlaceOf): Unwanted {
  const mistakes: Mistake[] = []
  const gaps = new Set<number>()
  const createGap = (node: Node): Scalar => {
    const offset = offsetOf(node)
    gaps.add(offset)
    return Object.assign(new Scalar(null), { range: [offset, offset, offset] })
  }
  visit(document, {
    Alias (_key, node) {
      mistakes.push([offsetOf(node), aliasAdvice])
      return createGap(node)
    },
    Map (key, node) {
      const wrong = listKeyMistakes(node, placeOf)
      if (wrong.size === 0) return undefined
      for (const [pair, message] of wrong) mistakes.push([offsetOf(pair.key), message])
      node.items = node.items.filter((pair) => !wrong.has(pair))
      return node.items.length === 0 && key !== null ? createGap(node) : undefined
    },
  })
  return { mistakes, gaps }
}

interface Unwanted {
  readonly mistakes: readonly Mistake[]
  /** Offsets at which nothing is left; of a missing value there nobody needs to be told. */
  readonly gaps: ReadonlySet<number>
}

const aliasAdvice = `* begins an alias in YAML, and aliases are not followed here; ${quoteIt}, or write the value out`

function listKeyMistakes (map: YAMLMap, placeOf: PlaceOf): ReadonlyMap<Pair, string> {
  const seen = new Map<string, number>()
  const wrong = new Map<Pair, string>()
  for (const pair of map.items) {
    const message = describeKeyMistake(pair, seen, placeOf)
    if (message === undefined) seen.set(keyOf(pair), offsetOf(pair.key))
    else wrong.set(pair, message)
  }
  return wrong
}

function describeKeyMistake (pair: Pair, seen: ReadonlyMap<string, number>, placeOf: PlaceOf): string | undefined {
  if (isAlias(pair.key)) return aliasAdvice
  if (!isScalar(pair.key)) return `brackets and braces make this key a list or a map; ${quoteIt}`
  const key = keyOf(pair)
  const first = seen.get(key)
  if (first !== undefined) return `${quote(key)} is given twice, first on line ${placeOf(first).line}; drop one of the two`
  if (pair.key.value === null || key === '__proto__') return `${quote(key)} cannot be a key; write a key like registries`
  return undefined
}

function describeTop (value: unknown, document: Document.Parsed): Mistake {
  const what = value === null || value === undefined ? 'the file holds no settings' : 'the file must hold a map of keys'
  const offset = document.contents === null ? 0 : offsetOf(document.contents)
  return [offset, `${what}; begin with registries: and, below it, - loginServer: contoso.azurecr.io`]
}

/** Where the part at a path is written or, when it is missing, the nearest part around it. */
function findOffset (top: Node | null, path: Path, isKey: boolean): number {
  let node: unknown = top
  let offset = 0
  for (const [index, part] of path.entries()) {
    if (isMap(node)) {
      const pair = indexPairs(node).get(String(part))
      if (pair === undefined) break
      offset = offsetOf(pair.key)
      node = isKey && index === path.length - 1 ? undefined : pair.value
    } else if (isSeq(node) && typeof part === 'number') {
      node = node.items[part]
    } else {
      break
    }
    if (!isNode(node)) break
    // A key without a value has one at the end of its line, or further down: the key is what a person looks for.
    if (!(isScalar(node) && node.value === null && node.source === '')) offset = offsetOf(node)
  }
  return path.length === 0 && isNode(top) ? offsetOf(top) : offset
}

const pairsByKey = new WeakMap<YAMLMap, ReadonlyMap<string, Pair>>()

/** The pairs of a map by key; kept, because a file that is no configuration may have a problem in every key. */
function indexPairs (map: YAMLMap): ReadonlyMap<string, Pair> {
  const known = pairsByKey.get(map)
  if (known !== undefined) return known
  const pairs = new Map(map.items.map((pair) => [keyOf(pair), pair]))
  pairsByKey.set(map, pairs)
  return pairs
}

function keyOf (pair: Pair): string {
  return isScalar(pair.key) ? String(pair.key.value ?? '') : ''
}

function offsetOf (node: unknown): number {
  return isNode(node) && !isPair(node) ? node.range?.[0] ?? 0 : 0
}
