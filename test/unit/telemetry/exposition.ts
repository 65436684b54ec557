/** One line with a value. */
export interface Sample {
  readonly name: string
  readonly labels: Readonly<Record<string, string>>
  readonly value: number
}

/** What is said of a series before its lines. */
export interface Family {
  readonly name: string
  readonly help: string
  readonly type: string
}

/**
 * Reads the Prometheus text format, version 0.0.4, line by line. Throws at a line that is none, at a sample that is
 * there twice, and at a type without a help.
 */
export function readExposition (text: string): { families: Map<string, Family>, samples: Sample[] } {
  const helps = new Map<string, string>()
  const families = new Map<string, Family>()
  const samples: Sample[] = []
  const seen = new Set<string>()
  for (const line of text.split('\n').filter((one) => one !== '')) {
    const [, keyword, name = '', rest = ''] = /^# (HELP|TYPE) (\S+) (.*)$/.exec(line) ?? []
    if (keyword === 'HELP') {
      helps.set(name, rest)
    } else if (keyword === 'TYPE') {
      const help = helps.get(name)
      if (help === undefined || families.has(name)) throw new SyntaxError(`a type out of place: ${line}`)
      families.set(name, { name, help, type: rest })
    } else {
      const sample = readSample(line)
      const key = JSON.stringify([sample.name, sample.labels])
      if (seen.has(key)) throw new SyntaxError(`there twice: ${line}`)
      seen.add(key)
      samples.push(sample)
    }
  }
  return { families, samples }
}

function readSample (line: string): Sample {
  const [, name, labelText = '', valueText] = /^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})? (\S+)$/.exec(line) ?? []
  if (name === undefined || valueText === undefined) throw new SyntaxError(`not a sample: ${line}`)
  const labels = [...labelText.matchAll(/([a-z_]+)="((?:[^"\\]|\\.)*)"/g)]
  if (labels.map(([whole]) => whole).join() !== labelText) throw new SyntaxError(`not labels: ${line}`)
  const value = valueText === '+Inf' ? Infinity : Number(valueText)
  // A mean of nothing; Prometheus reads it in any case.
  if (Number.isNaN(value) && valueText.toLowerCase() !== 'nan') throw new SyntaxError(`not a number: ${line}`)
  return { name, labels: Object.fromEntries(labels.map(([, label = '', text = '']) => [label, text])), value }
}
