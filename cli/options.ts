// Options that several commands share.
import { InvalidArgumentError, Option } from 'commander'

export const CONFIG_FILE = 'millrace.yaml'

export const configOption = () => new Option('-c, --config <file>', 'configuration file').default(CONFIG_FILE)
export const jsonOption = () => new Option('--json', 'print JSON instead of text')
export const addressOption = () =>
  new Option('--address <host:port>', "the node's http.listen; default: what the configuration says")

/** A warning of a command, beside what it prints. */
export function warn(text: string): void {
  process.stderr.write(`millrace: warning: ${text}\n`)
}

/** For commander: a whole number over 0. */
export function positiveNumber(text: string): number {
  const value = Number(text)
  if (Number.isSafeInteger(value) && value > 0) return value
  throw new InvalidArgumentError('expected a whole number over 0.')
}
