// The file of ratios that `bench check` compares with: its form, its reading, and its writing.
import { readFileSync, writeFileSync } from 'node:fs'
import { z } from 'zod'
import { MillraceError, systemCode } from '../protocol/errors.js'
import { cannotSave } from './output.js'

const ratio = z.object({ median: z.number(), least: z.number(), most: z.number() })

const baselineFile = z.object({
  at: z.string(),
  machine: z.object({
    cpu: z.string(),
    cores: z.number(),
    memoryBytes: z.number(),
    os: z.string(),
    node: z.string(),
    millrace: z.string(),
    loadBefore: z.number(),
  }),
  benches: z.array(
    z.object({ bench: z.string(), ratios: z.record(z.string(), z.record(z.string(), ratio)) }),
  ),
})

export type BaselineFile = z.infer<typeof baselineFile>

/** Throws `usage.bench` where there is none, or where it is something else. */
export function readBaselines(file: string): BaselineFile {
  try {
    return baselineFile.parse(JSON.parse(readFileSync(file, 'utf8')))
  } catch (cause) {
    const code = systemCode(cause)
    const what =
      code === 'ENOENT'
        ? 'does not exist; write it'
        : `is no file of ratios (${code ?? whyNot(cause)}); write it anew`
    throw new MillraceError('usage.bench', `${file} ${what} with \`bench check --update\``, { cause })
  }
}

/** Throws `usage.write`. */
export function writeBaselines(file: string, baselines: BaselineFile): void {
  try {
    writeFileSync(file, `${JSON.stringify(baselines, undefined, 2)}\n`)
  } catch (cause) {
    throw cannotSave('--file', file, cause)
  }
}

function whyNot(cause: unknown): string {
  const issue = cause instanceof z.ZodError ? cause.issues[0] : undefined
  return issue === undefined ? 'no JSON' : `${issue.path.join('.') || 'it'}: ${issue.message}`
}
