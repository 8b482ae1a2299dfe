"""shell completion for bash and zsh: commands, tasks, options and keys

  dlrun completion bash|zsh

Prints a script for the shell to read.

Examples
  eval "$(dlrun completion bash)"             # in ~/.bashrc
  eval "$(dlrun completion zsh)"              # in ~/.zshrc, after compinit
"""

from __future__ import annotations

from dlrun import console
from dlrun.errors import ConfigError, Problem

BASH = r"""
_dlrun() {
    local IFS=$'\n' cur="${COMP_LINE:0:COMP_POINT}" word
    word="${cur##* }"
    COMPREPLY=($(dlrun _complete "$cur" 2>/dev/null))
    # bash splits words at '=' and ':': give back only what follows the last one
    if [[ "$word" == *[=:]* && "$COMP_WORDBREAKS" == *=* ]]; then
        local head="${word%"${word##*[=:]}"}"
        COMPREPLY=("${COMPREPLY[@]#"$head"}")
    fi
    [[ ${#COMPREPLY[@]} -eq 1 && "${COMPREPLY[0]}" == *[=./] ]] && compopt -o nospace
    return 0
}
complete -o nosort -F _dlrun dlrun
"""

ZSH = r"""
_dlrun() {
    local -a found
    found=("${(@f)$(dlrun _complete "${LBUFFER}" 2>/dev/null)}")
    found=(${found:#})
    compadd -Q -S '' -- $found
}
compdef _dlrun dlrun
"""


def main(words: list[str]) -> int:
    """Print the script."""
    scripts = {"bash": BASH, "zsh": ZSH}
    if len(words) != 1 or words[0] not in scripts:
        raise ConfigError(Problem("", f"expected bash or zsh, received '{' '.join(words)}'", "dlrun completion --help"))
    console.out.print(scripts[words[0]].strip(), markup=False, soft_wrap=True)
    return 0
