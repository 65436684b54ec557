// Puts the status page beside the compiled admin server; the last step of `npm run build`.
import { cpSync, rmSync } from 'node:fs'

const source = new URL('../src/admin/page/', import.meta.url)
const destination = new URL('../dist/admin/page/', import.meta.url)

rmSync(destination, { recursive: true, force: true })
cpSync(source, destination, { recursive: true })
