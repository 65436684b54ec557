/** What is to be pulled: the part of an image reference behind the registry, and the registry if it has one. */
export interface ImageReference {
  /** As written, lower case; absent: any of the registries. */
  readonly registry?: string
  readonly repository: string
  /** A tag or a digest. */
  readonly reference: string
}

/** An image, or what is wrong with it; what to write. */
export type ParsedImageReference =
  | { readonly ok: true, readonly image: ImageReference }
  | { readonly ok: false, readonly problem: string }

// OCI distribution specification 1.1, "pulling manifests".
const repositoryForm = /^[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*(?:\/[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*)*$/
const tagForm = /^[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}$/
const digestForm = /^sha256:[0-9a-f]{64}$/
const registryForm = /^[a-z0-9][a-z0-9.-]*(?::[0-9]+)?$/i
const maxLength = 512

/** Reads `[LOGIN_SERVER/]REPO[:TAG|@DIGEST]` as docker does; without a tag or digest it is `latest`. */
export function parseImageReference (text: string): ParsedImageReference {
  if (text.length > maxLength) return { ok: false, problem: 'is too long to be an image; write REPO:TAG' }
  const [, first = '', behind = ''] = /^([^/]*)\/(.*)$/s.exec(text) ?? []
  // As for docker: a first part with a dot or a colon is a registry.
  const hasRegistry = /[.:]/.test(first) && registryForm.test(first)
  const rest = hasRegistry ? behind : text
  const [, name = '', , digest] = /^([^@]*?)(:[^:/@]*)?(?:@(.*))?$/s.exec(rest) ?? []
  const tag = /^[^@]*:([^:/@]*)(?:@.*)?$/s.exec(rest)?.[1] ?? 'latest'
  if (!repositoryForm.test(name)) {
    const lower = name.toLowerCase()
    const write = repositoryForm.test(lower) ? `write it in lower case: ${lower}` : 'write REPO:TAG, like samples/app:1.0'
    return { ok: false, problem: `is not a repository; ${write}` }
  }
  if (!tagForm.test(tag)) return { ok: false, problem: 'has a tag that no image can have; write REPO:TAG, like samples/app:1.0' }
  if (digest !== undefined && !digestForm.test(digest)) {
    return { ok: false, problem: 'has a digest that is not sha256: and 64 hexadecimal digits; copy it whole' }
  }
  const registry = hasRegistry ? { registry: first.toLowerCase() } : {}
  return { ok: true, image: { ...registry, repository: name, reference: digest ?? tag } }
}
