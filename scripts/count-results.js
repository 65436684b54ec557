// Reads the TAP of a whole test run and prints `N passed, N failed` as its last line. Fails when a test failed, when
// none ran, and when one was left out: in CI every real part that a test needs is installed. Only Microsoft's published
// files of service tags may be missing: they are not ours to keep here.
import { readFileSync } from 'node:fs'

const lines = readFileSync(process.argv[2], 'utf8').split('\n')
const counts = { passed: 0, failed: 0 }
const leftOut = []
for (const [index, line] of lines.entries()) {
  const result = /^\s*(not )?ok \d+/.exec(line)
  if (result === null || closesSubtest(line, index)) continue
  if (/# (SKIP|TODO)/i.test(line)) leftOut.push(line.trim())
  else if (result[1] === undefined) counts.passed++
  else counts.failed++
}

const missing = leftOut.filter((line) => !line.includes('ACR_EGRESS_SERVICE_TAGS_DIR'))
for (const line of leftOut) console.log(`left out: ${line}`)
console.log(`${counts.passed} passed, ${counts.failed} failed`)
if (counts.failed > 0 || counts.passed === 0 || missing.length > 0) process.exitCode = 1

/** The line that sums up a subtest stands right behind the subtest's own plan and comments, indented less. */
function closesSubtest (line, index) {
  const indent = line.search(/\S/)
  for (let before = index - 1; before >= 0; before--) {
    const text = lines[before]
    if (text.trim() === '') continue
    return text.search(/\S/) > indent && /^\s*(1\.\.\d+|# )/.test(text)
  }
  return false
}
