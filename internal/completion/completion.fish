# fish completion for lease-sidecar: lease-sidecar completion fish | source
function __lease_sidecar_complete
    set -l words (commandline -opc)
    set -l current (commandline -ct)
    test (count $current) -gt 0; or set current ''
    for line in ($words[1] __complete $words[2..-1] $current 2>/dev/null)
        set -l parts (string split -m 1 \t -- $line)
        switch $parts[1]
            case @command
                set -l after (contains -i -- -- $words); or continue # without it, this command line would be completed again
                complete -C (string join ' ' -- (string escape -- $words[(math $after + 1)..-1]) "$current")
            case @file @directory
                set -l path (string sub -s (math (string length -- $parts[2]) + 1) -- $current)
                if test $parts[1] = @file
                    set path (__fish_complete_path "$path")
                else
                    set path (__fish_complete_directories "$path" '')
                end
                string replace -r '^' -- (string escape --style=regex -- $parts[2]) $path
            case '*'
                echo $line
        end
    end
end
complete -c lease-sidecar -f -k -a '(__lease_sidecar_complete)'
