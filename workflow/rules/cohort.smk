rule cohort:
    input:
        landscapes=expand(result("landscape.csv"), sample=SAMPLES.index),
        # Written last, and tells of panel and verdict.
        provenance=expand(result("provenance.json"), sample=SAMPLES.index),
        samples=config["samples"],
        files=cohort_files,
    output:
        tables=directory(f"{RESULTS}/cohort"),
    log:
        f"{RESULTS}/cohort.log",
    benchmark:
        f"{RESULTS}/cohort.tsv"
    conda:
        "../../envs/mifprofile.yaml"
    threads: 1
    resources:
        mem_mb=lambda wildcards, attempt: 4000 * attempt,
    params:
        config=CONFIG,
        results=lambda wildcards, output: str(Path(output.tables).parent),
        section=section("cohort"),
    shell:
        "mifprofile cohort {input.samples:q} {params.results:q} -o {output.tables:q} "
        "--config {params.config:q} > {log:q} 2>&1"
