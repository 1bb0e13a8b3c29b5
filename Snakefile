include: "workflow/Snakefile"


# An included rule is never the default target.
rule default:
    input:
        rules.all.input,
