/**
 * One assignment of `Environment=` in a unit, in quotes: systemd takes away one backslash of two (systemd.syntax(7))
 * and one `%` of two (systemd.unit(5), "Specifiers").
 */
export function quoteForUnit (assignment: string): string {
  return `"${assignment.replace(/["\\]/g, '\\$&').replaceAll('%', '%%')}"`
}

/** A word of a POSIX shell; in single quotes (Shell Command Language, 2.2.2) when it has more than usual characters. */
export function quoteForShell (word: string): string {
  return /^[\w./:@%,+=~-]+$/.test(word) && !word.startsWith('~') ? word : `'${word.replaceAll('\'', '\'\\\'\'')}'`
}

/** A basic string of TOML 1.0: JSON's escapes, and U+007F, which JSON lets through. */
export function quoteForToml (text: string): string {
  return JSON.stringify(text).replaceAll('\u007F', '\\u007F')
}
