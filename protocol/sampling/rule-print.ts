// Writes a rule's condition in one canonical form: what `parseRule` reads back as the same tree.
import { METRICS, type RuleExpression } from './rule-ast.js'
import { printRuleValue } from './rule-values.js'

/** Parentheses stand only where the order from left to right is another. */
export function printRule(expression: RuleExpression): string {
  switch (expression.kind) {
    case 'comparison': {
      const { metric, operator, values } = expression
      const texts = values.map((value) => printRuleValue(METRICS[metric].kind, value))
      return `${metric} ${operator} ${operator.endsWith('IN') ? `[${texts.join(', ')}]` : texts.join('')}`
    }
    case 'not':
      return `NOT ${printOperand(expression.operand)}`
    case 'and':
    case 'or':
      return `${printRule(expression.left)} ${expression.kind.toUpperCase()} ${printOperand(expression.right)}`
  }
}

function printOperand(expression: RuleExpression): string {
  const text = printRule(expression)
  return expression.kind === 'and' || expression.kind === 'or' ? `(${text})` : text
}
