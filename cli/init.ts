// `millrace init`: writes a commented starter configuration that passes `millrace validate`.
import { writeFileSync } from 'node:fs'
import { Command, Option } from 'commander'
import { MillraceError, systemCode } from '../protocol/errors.js'
import { configOption } from './options.js'
import { STARTER_KINDS, starterConfig, type StarterKind } from './starter-config.js'

export function initCommand(): Command {
  return new Command('init')
    .description('Writes a commented starter configuration.')
    .addOption(configOption())
    .addOption(new Option('--for <kind>', 'where the logs come from').choices(STARTER_KINDS).default('file'))
    .option('--force', 'replace the file when it exists')
    .action((options: { config: string; for: StarterKind; force?: boolean }) => {
      write(options.config, starterConfig(options.for), options.force === true)
      process.stdout.write(
        `${options.config} is written; edit it, then: millrace validate -c ${options.config}\n`,
      )
    })
}

function write(file: string, text: string, force: boolean): void {
  try {
    writeFileSync(file, text, { flag: force ? 'w' : 'wx' })
  } catch (error) {
    const code = systemCode(error)
    if (code === 'EEXIST')
      throw new MillraceError('usage.exists', `${file} exists; --force replaces it`, { cause: error })
    if (code === 'ENOENT')
      throw new MillraceError('usage.folder', `${file}: its folder does not exist; create it`, {
        cause: error,
      })
    throw new MillraceError('usage.write', `${file} can not be written (${code ?? String(error)})`, {
      cause: error,
    })
  }
}
