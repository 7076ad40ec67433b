// `millrace test`: unit tests of a configuration, in YAML; a failure shows what differs, field by field.
import { Command } from 'commander'
import { loadConfig } from '../runtime/config/load.js'
import { configOption, jsonOption } from './options.js'
import { printable } from './text-table.js'
import { compareTest, type Difference } from './test/compare.js'
import { readTests } from './test/file.js'
import { judgeTest, type TestOutcome } from './test/verdicts.js'

interface TestOptions {
  readonly config: string
  readonly json?: boolean
}

interface TestResult {
  readonly file: string
  readonly name: string
  readonly place: string
  readonly passed: boolean
  readonly differences: readonly Difference[]
  readonly records: TestOutcome['verdicts']
}

export function testCommand(): Command {
  return new Command('test')
    .description(
      'Runs unit tests of a configuration: lines in, what becomes of them out. Exits 1 when one fails, 2 when a file is not valid.',
    )
    .argument('<tests...>', 'files of tests (YAML)')
    .addOption(configOption())
    .addOption(jsonOption())
    .action((files: string[], options: TestOptions) => {
      const { config } = loadConfig(options.config)
      // All files are read before the first test runs: a mistake in the last one is told at once.
      const tests = files.flatMap((file) => readTests(file).map((placed) => ({ file, placed })))
      const results = tests.map(({ file, placed }): TestResult => {
        const outcome = judgeTest(config, placed)
        const differences = compareTest(placed, outcome)
        const { test, place } = placed
        return {
          file,
          name: test.name,
          place,
          passed: differences.length === 0,
          differences,
          records: outcome.verdicts,
        }
      })
      const failed = results.filter(({ passed }) => !passed).length
      if (failed > 0) process.exitCode = 1
      const passed = results.length - failed
      process.stdout.write(
        options.json === true
          ? `${JSON.stringify({ passed, failed, tests: results })}\n`
          : `${[...results.flatMap(resultText), '', `${passed} passed, ${failed} failed`].join('\n')}\n`,
      )
    })
}

function resultText({ name, place, passed, differences, records }: TestResult): string[] {
  if (passed) return [`ok    ${name}`]
  const lines = [`FAIL  ${name}   ${place}`]
  let shown: number | undefined = 0
  for (const { record, field, expected, got } of differences) {
    if (record !== undefined && record !== shown) {
      const message = records[record - 1]?.record['message']
      lines.push(`      record ${record}${typeof message === 'string' ? `: ${head(message)}` : ''}`)
      shown = record
    }
    lines.push(
      `        ${field}`,
      `          expected ${printable(expected)}`,
      `          got      ${printable(got)}`,
    )
  }
  return lines
}

const HEAD_CHARS = 100

/** What a record holds must not move the cursor or colour the terminal. */
function head(text: string): string {
  const shown = printable(text)
  return shown.length > HEAD_CHARS ? `${shown.slice(0, HEAD_CHARS)}…` : shown
}
