/**
 * The simple commands of one line for a POSIX shell, each as its words without redirections. Knows quotes, pipes, `&&`,
 * `||`, `;`, redirections, `<(…)` and `$(…)`, which is what examples in a help are made of; throws for anything else
 * that would be expanded. Nothing is run: an example may write to /etc.
 */
export function splitShellLine (line: string): string[][] {
  const commands: string[][] = []
  let words: string[] = []
  let isTarget = false
  for (const [token] of line.matchAll(/"?[$<]\(|\)"?|'[^']*'|"[^"]*"|&&|\|\||[|;]|>>|[<>]|[^\s|;<>()&'"]+|[&'"(]/g)) {
    if (/^(?:&&|\|\||"?[$<]\(|[|;]|\)"?)$/.test(token)) {
      commands.push(words)
      words = []
    } else if (/^[<>]/.test(token)) {
      isTarget = true
    } else if (isTarget) {
      isTarget = false
    } else {
      words.push(readWord(token, line))
    }
  }
  return [...commands, words].filter((command) => command.length > 0)
}

function readWord (token: string, line: string): string {
  if (token.startsWith('\'')) return token.slice(1, -1)
  const word = token.startsWith('"') ? token.slice(1, -1) : token
  if (/[$`\\]|^[&"'(]$/.test(word) || (word === token && /[*?[\]{}~]/.test(word))) {
    throw new Error(`${JSON.stringify(line)} holds ${token}, which a shell would make something else of`)
  }
  return word
}

/** What follows `acr-egress` wherever the line calls it, by itself, behind `sudo`, or with variables set for it. */
export function listCalls (line: string): string[][] {
  return splitShellLine(line).flatMap((words) => {
    const start = words.findIndex((word) => word !== 'sudo' && !/^\w+=/.test(word))
    return words[start] === 'acr-egress' ? [words.slice(start + 1)] : []
  })
}
