"""shell completion for bash and zsh: commands, tasks, options and keys

  dlrun completion bash|zsh

Prints a script for the shell to read. After it, Tab completes commands, flags, tasks, the options of config
groups, config keys, your runs, and files.

Examples
  eval "$(dlrun completion bash)"             # in ~/.bashrc
  eval "$(dlrun completion zsh)"              # in ~/.zshrc
"""

from __future__ import annotations

from dlrun import console
from dlrun.errors import ConfigError, Problem

BASH = r"""
_dlrun() {
    local line="${COMP_LINE:0:COMP_POINT}" word head
    word="${line##* }"
    local IFS=$'\n'
    COMPREPLY=($("${1/#\~/$HOME}" _complete "$line" 2>/dev/null))
    # bash breaks words at '=' and ':' outside quotes: give back only what follows the last one
    if [[ "$word" == [^\'\"]*[=:]* && "$COMP_WORDBREAKS" == *=* ]]; then
        head="${word%"${word##*[=:]}"}"
        COMPREPLY=("${COMPREPLY[@]#"$head"}")
    fi
    [[ ${#COMPREPLY[@]} -eq 1 && ( "${COMPREPLY[0]}" == *[=./] || "$word" == *"["* ) ]] && compopt -o nospace
    return 0
}
complete -F _dlrun dlrun
"""

ZSH = r"""
_dlrun() {
    local -a found open
    found=("${(@f)$(${~words[1]} _complete "${(j: :)words[1,CURRENT-1]} ${(Q)PREFIX}" 2>/dev/null)}")
    found=(${found:#})
    open=(${(M)found:#*[=./]})
    found=(${found:#*[=./]})
    compadd -S '' -a open
    compadd -a found
}
(( $+functions[compdef] )) || { autoload -Uz compinit && compinit }
compdef _dlrun dlrun
"""


def main(words: list[str]) -> int:
    """Print the script."""
    scripts = {"bash": BASH, "zsh": ZSH}
    if len(words) != 1 or words[0] not in scripts:
        raise ConfigError(Problem("", f"expected bash or zsh, received '{' '.join(words)}'", "dlrun completion --help"))
    console.out.print(scripts[words[0]].strip(), markup=False, soft_wrap=True)
    return 0
